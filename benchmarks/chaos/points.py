"""The fault matrix: the process dies, or the answer is lost, at every registered fault point.

All points are in one plan, so each fires once, whoever gets there first; customers write until
all have fired. A point that nobody reaches is a finding: none can be forgotten.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.core.faults import FAULT_POINTS
from benchmarks.chaos.businesses import Business, Customer, invite, open_businesses
from benchmarks.chaos.campaign import AGE_DOUBT, attempt, calm_down, settle, verdict_on
from benchmarks.chaos.evidence import Ledgers
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.timeline import token_of
from benchmarks.chaos.verdict import Verdict, Written

Action = Literal["kill", "drop"]
ACTIONS: tuple[Action, ...] = ("kill", "drop")
# Reached only while a send's fate is looked up.
DOUBT_POINTS = frozenset(name for name in FAULT_POINTS if name.startswith("reconcile."))
WORKERS = 3
CUSTOMERS = 24
WRITE_EVERY_S = 0.25
REACH_S = 90.0
DOUBT_S = 20.0
DOUBT_DELAY_MS = 1_000
MARKS = "marks"
# Shorter still than in a campaign: each death costs a lease.
TIMINGS = {
    "PARLEY_IDLE_S": "0.2",
    "PARLEY_LEASE_S": "2",
    "PARLEY_RENEW_S": "0.6",
    "PARLEY_SWEEP_S": "0.5",
    "PARLEY_SEND_TIMEOUT_S": "1",
    "PARLEY_UNKNOWN_AFTER_S": "1.5",
    "PARLEY_MODEL_TIMEOUT_S": "2",
    # The gap sweep would find a doubtful send's echo before anybody has to look it up.
    "PARLEY_SILENCE_S": "3600",
    "PARLEY_RECONCILE_S": "3600",
    "PARLEY_READ_BACK_S": "2",
    "PARLEY_LEAD_S": "3.5",
}


@dataclass(slots=True)
class Round:
    """One round: which points fired, and the verdict on everything written up to its end."""

    action: Action
    fired: frozenset[str]
    verdict: Verdict
    outstanding: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def missed(self) -> list[str]:
        """Points that nobody reached."""
        return sorted(set(FAULT_POINTS) - self.fired)

    @property
    def unanswered(self) -> int:
        """Messages that ended otherwise than in a reply; here every one has to be answered."""
        return self.verdict.dispositions.total() - self.verdict.answered

    @property
    def kept(self) -> bool:
        """Whether every point fired and every promise was kept."""
        return self.verdict.kept and not (self.missed or self.unanswered or self.outstanding)


def build_stage(directory: Path) -> Stage:
    """A stage for the matrix; its processes carry no plan until a round gives them one."""
    return Stage(directory, workers=WORKERS, eager=True, overrides=TIMINGS)


class Matrix:
    """Rounds on one stage, as many as wanted."""

    def __init__(
        self,
        stage: Stage,
        *,
        stop: threading.Event,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.stage = stage
        self._stop = stop
        self._report = report
        self._rng = random.Random(0)
        self._written: list[Written] = []
        self._rounds = 0
        self._armed = 0
        self.businesses: list[Business] = open_businesses(stage, 2)
        self._customers: list[Customer] = invite(self.businesses[:1], CUSTOMERS)
        self._doubter = invite(self.businesses[1:], 1, first=CUSTOMERS)[0]
        self._ledgers = Ledgers(stage.environment, [b.tenant_id for b in self.businesses])

    def arm(self, action: str, points: Iterable[str]) -> None:
        """Start the product anew under a plan that fires each of the points once."""
        self._armed += 1  # a folder of its own: who is about to die may still fire in the last one
        self.marks.mkdir(parents=True)
        entries = ";".join(f"{point}={action}" for point in points)
        self.stage.restart({"PARLEY_FAULT_PLAN": entries, "PARLEY_FAULT_DIR": str(self.marks)})

    def run_round(self, action: Action) -> Round:
        """Write until every point has fired, wait for the end of everything, judge."""
        began = time.monotonic()
        self.arm(action, FAULT_POINTS)
        self._rounds += 1
        self._reach(set(FAULT_POINTS) - DOUBT_POINTS)
        self._reach_doubt()
        calm_down([self.stage.waha, self.stage.other_waha], self.businesses)
        outstanding = settle(self.stage, self._ledgers, len(self._written), stop=self._stop)
        everybody = [*self._customers, self._doubter]
        found = Round(
            action,
            fired=self._fired(),
            verdict=verdict_on(self._written, everybody, self._ledgers),
            outstanding=outstanding,
            seconds=time.monotonic() - began,
        )
        self._report(f"{action} {self._rounds}: {len(found.fired)} points in {found.seconds:.0f} s")
        return found

    def _reach(self, points: set[str]) -> None:
        """Have customers write, one each in turn, until all the points have fired."""
        deadline = time.monotonic() + REACH_S
        number = 0
        while points - self._fired() and time.monotonic() < deadline:
            self._write(self._customers[number % CUSTOMERS])
            number += 1
            if self._stop.wait(WRITE_EVERY_S):
                return

    def _reach_doubt(self) -> None:
        """Have sends be doubted until the points of the look-up have fired."""
        deadline = time.monotonic() + REACH_S
        while DOUBT_POINTS - self._fired() and time.monotonic() < deadline:
            self._doubt_a_send()

    def _doubt_a_send(self) -> None:
        """A send that WAHA takes without a word, and of which no webhook ever tells."""
        waha = self.stage.other_waha
        waha.add_fault({"service": "waha", "path": "/api/sendText", "drop": "after"})
        # Time to cut the webhooks off between the message and its reply's echo.
        self.stage.waha.set_model("echo", delay_ms=DOUBT_DELAY_MS)
        self._write(self._doubter)
        deadline = time.monotonic() + DOUBT_S
        while self._arrived() < len(self._written) and time.monotonic() < deadline:
            time.sleep(0.05)
        waha.add_fault({"service": "webhook", "drop": "before", "times": None})
        self.stage.waha.set_model("echo")
        while DOUBT_POINTS - self._fired() and time.monotonic() < deadline:
            attempt(self._ledgers.change(AGE_DOUBT))
            if self._stop.wait(WRITE_EVERY_S):
                break
        waha.clear_faults()

    def _arrived(self) -> int:
        """How many messages are stored; 0 while the database is away."""
        outstanding = attempt(self._ledgers.outstanding())
        return outstanding.messages if outstanding else 0

    def _write(self, customer: Customer) -> None:
        token = token_of(self._rng, len(self._written))
        customer.write(f"{token} please")
        self._written.append(Written(token, customer.phone))

    def _fired(self) -> frozenset[str]:
        return frozenset(mark.name for mark in self.marks.iterdir())

    @property
    def marks(self) -> Path:
        """Where the points that have fired leave their names."""
        return self.stage.data_dir / MARKS / str(self._armed)
