"""A campaign: customers write in bursts while everything around them fails, then the verdict."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.cli.errors import CommandError, ExitCode
from benchmarks.chaos.businesses import Business, Customer, invite, open_businesses
from benchmarks.chaos.evidence import Ledgers, Shown, shown_on
from benchmarks.chaos.outside import Outside
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.timeline import Event, plan
from benchmarks.chaos.verdict import Verdict, Written, judge

SETTLE_S = 180.0
POLL_S = 0.25
# Of fewer messages a single send in doubt may be most.
MANY_MESSAGES = 50
# People give back what failures handed to them, so that later messages are answered.
_GIVE_BACK = (
    "update conversations set state = 'pending', handover_reason = null,"
    " handover_summary = null, human_until = null"
    " where tenant_id = any(cast(:tenants as uuid[])) and state = 'open'"
)
# Read-backs of doubtful sends come every 20 s; at the end nobody wants to wait for six of them.
AGE_DOUBT = (
    "update send_parts set started_at = started_at - interval '20 seconds',"
    " checked_at = checked_at - interval '20 seconds'"
    " where tenant_id = any(cast(:tenants as uuid[])) and state = 'unknown'"
)
_AWAY = (OSError, TimeoutError, SQLAlchemyError)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a campaign."""

    messages: int
    seed: int
    customers: int
    tenants: int
    kills: int


@dataclass(slots=True)
class Outcome:
    """What a campaign did and what came of it. `settled` is False when its deadline passed."""

    order: Order
    verdict: Verdict = field(default_factory=Verdict)
    kills: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    seconds: float = 0.0
    settle_s: float = 0.0
    outstanding: list[str] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether everything came to an end in time."""
        return not self.outstanding

    @property
    def spoke(self) -> bool:
        """Whether most messages were answered; who gives everything to people loses nothing."""
        few = self.order.messages < MANY_MESSAGES
        return few or self.verdict.answered * 2 > self.order.messages

    @property
    def kept(self) -> bool:
        """Whether every promise was kept, and everything came to an end."""
        return self.verdict.kept and self.settled and self.spoke


class Campaign:
    """One campaign on a stage that is started; `run` does everything and returns the outcome."""

    def __init__(
        self,
        stage: Stage,
        order: Order,
        *,
        stop: threading.Event,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._stage = stage
        self._order = order
        self._stop = stop
        self._report = report
        self._written: list[Written] = []
        self._outcome = Outcome(order)

    def run(self) -> Outcome:
        """Pair the numbers, do what the plan says, wait for the end of everything, judge."""
        order = self._order
        businesses = open_businesses(self._stage, order.tenants)
        customers = invite(businesses, order.customers)
        ledgers = Ledgers(self._stage.environment, [b.tenant_id for b in businesses])
        duration_s, events = plan(
            order.seed, messages=order.messages, kills=order.kills, customers=customers
        )
        self._report(f"{order.messages} messages and {order.kills} kills in {duration_s:.0f} s")
        began = time.monotonic()
        self._perform(events, ledgers)
        ended = time.monotonic()
        self._report(f"all written after {ended - began:.0f} s; waiting for the end of everything")
        calm_down(self._wahas, businesses)
        self._outcome.outstanding = settle(
            self._stage, ledgers, len(self._written), stop=self._stop
        )
        self._outcome.verdict = verdict_on(self._written, customers, ledgers)
        self._outcome.settle_s = time.monotonic() - ended
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    def _perform(self, events: Sequence[Event], ledgers: Ledgers) -> None:
        began = time.monotonic()
        for event in events:
            wait_s = began + event.at_s - time.monotonic()
            if self._stop.wait(max(wait_s, 0.0)):
                raise CommandError(ExitCode.WRONG, "the campaign was stopped")
            self._do(event, ledgers)

    def _do(self, event: Event, ledgers: Ledgers) -> None:
        subject = event.subject
        if event.kind == "write":
            words = subject.customer.words(subject.token)
            subject.customer.write(words, duplicate=subject.duplicate)
            self._written.append(Written(subject.token, subject.customer.phone))
        elif event.kind == "kill":
            self._stage.kill_soon(subject)
            self._outcome.kills[subject] += 1
        elif event.kind == "fault":
            self._outcome.faults += 1
            waha = self._other_half(subject)
            waha.add_fault(subject)
        elif event.kind == "status":
            business, status = subject
            business.waha.set_status(business.session, status)
        elif event.kind == "cut_off":
            for waha in self._wahas:
                waha.add_fault({"service": "webhook", "drop": "before", "times": None})
        elif event.kind == "forget_deliveries":
            for waha in self._wahas:
                waha.forget_deliveries()
                waha.clear_faults("webhook")
        else:
            attempt(ledgers.change(_GIVE_BACK))

    @property
    def _wahas(self) -> Sequence[Outside]:
        return (self._stage.waha, self._stage.other_waha)

    def _other_half(self, fault: dict[str, Any]) -> Outside:
        """The WAHA a fault happens to: every fourth to the one without client ids."""
        elsewhere = fault["service"] != "openai" and self._outcome.faults % 4 == 0
        return self._stage.other_waha if elsewhere else self._stage.waha


def calm_down(wahas: Sequence[Outside], businesses: Sequence[Business]) -> None:
    """End all faults and absences."""
    for waha in wahas:
        waha.clear_faults()
    for business in businesses:
        business.waha.set_status(business.session, "WORKING")


def settle(
    stage: Stage,
    ledgers: Ledgers,
    messages: int,
    *,
    stop: threading.Event,
    deadline_s: float = SETTLE_S,
) -> list[str]:
    """Wait until nothing is under way anywhere; what still is when the deadline passes."""
    deadline = time.monotonic() + deadline_s
    while True:
        attempt(ledgers.change(_GIVE_BACK))
        attempt(ledgers.change(AGE_DOUBT))
        left = _left(stage, ledgers, messages)
        if not left or time.monotonic() > deadline or stop.wait(POLL_S):
            return left


def _left(stage: Stage, ledgers: Ledgers, messages: int) -> list[str]:
    outstanding = attempt(ledgers.outstanding())
    if outstanding is None:
        return ["the database is away"]
    left = outstanding.waits_for(messages)
    deliveries = stage.waha.pending_deliveries() + stage.other_waha.pending_deliveries()
    return [*left, *([f"{deliveries} webhooks under way"] if deliveries else [])]


def verdict_on(
    written: Sequence[Written], customers: Sequence[Customer], ledgers: Ledgers
) -> Verdict:
    """Read rows and phones, and judge."""
    phones: dict[str, Sequence[Shown]] = {
        c.phone: shown_on(c.business.waha.bubbles(c.phone)) for c in customers
    }
    return judge(written, asyncio.run(ledgers.read(phones)))


def attempt(work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Run a coroutine; None when the database is away just now."""
    try:
        return asyncio.run(work)
    except _AWAY:
        return None
