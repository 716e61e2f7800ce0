"""The ground that both state machines stand on: one database, a business an example, two workers.

``PARLEY_EXAMPLES`` asks for a longer campaign; without it the examples are the same each time.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import text

from app.core import faults, ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import ConflictError
from app.core.live import ChangeFeed
from app.messaging import ownership
from app.messaging.charges import PROOF
from app.messaging.desk.delivering import DeskDelivery
from app.messaging.desk.service import Inbox
from app.messaging.desk.writing import Draft
from app.messaging.ingest.storing import Delivery, store
from app.messaging.reconcile import Reconciler
from billing.verify import verify_tenant
from tests.databases import TestDatabase
from tests.engine import clock, invariants
from tests.engine.bench import CREDIT, Bench, Business, SilentBell
from tests.engine.stepping import Worker, die, survive
from tests.engine.wires import Phone, Turnstile, Writer
from tests.fixtures.waha import Body, WahaSession, encode
from tests.persons import person_of

EXAMPLES_USUAL = 25
EXAMPLES = int(os.environ.get("PARLEY_EXAMPLES", EXAMPLES_USUAL))
STEPS = 30
# Some ten times what a quiet machine takes, and the minutes of shrinking.
TIMEOUT_S = 300 + 5 * EXAMPLES
# Shrinking a counter-example takes minutes, which `make test` does not have.
PHASES = [Phase.generate, *([Phase.shrink] if EXAMPLES > EXAMPLES_USUAL else [])]
ROUNDS_MAX = 14
DAY_S = 24 * 3600.0
# No turn that is left over from a failed example may be claimed in the next one.
_CLEAR = """
update turns set state = 'cancelled', lease_owner = null, lease_until = null
 where tenant_id = $1 and state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending');
"""
# Nor may what it has not read make one there.
_FORGET = "update inbox_keys set pending = false where tenant_id = $1 and pending"
_IN_STATES = text(
    "select id from conversations where tenant_id = :tenant_id and state = any(:states) order by id"
)
_NEWEST = "select id from conversations where tenant_id = $1 order by id desc limit 1"
_NOBODY = UUID(int=0)  # a person who is not in the team: an admin who acts for the business
# People whose word came while no worker was between its last look and its call, and customers
# who had left by then.
_SILENCED = """
select true from send_parts p
join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
join turns t on t.tenant_id = m.tenant_id and t.id = m.turn_id
where p.tenant_id = $1 and m.body = $2
  and (c.state in ('open', 'snoozed') and c.handover_reason = 'human_takeover'
           and (c.human_until is null or c.human_until > now())
       or k.opted_out_at is not null and t.result ->> 'notice' is null)
  and not exists (
      select 1 from send_attempts a where a.tenant_id = p.tenant_id and a.part_id = p.id
        and a.attempt_no < p.attempts and a.outcome is distinct from 'not_sent')
"""


@dataclass
class Ground:
    """What all examples of a machine share."""

    runner: asyncio.Runner
    bench: Bench
    rows: asyncpg.Connection
    errors: list[str] = field(default_factory=list)


class Errors(logging.Handler):
    """Keeps what the product logs as an error: its loops catch what a test would like to see."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self._errors.append(self.format(record))


@dataclass(frozen=True)
class Written:
    """A customer's message as it was delivered."""

    body: Body
    chat: str
    wa_id: str

    def __repr__(self) -> str:
        return f"<{self.wa_id}>"


class EngineMachine(RuleBasedStateMachine):
    """A business, its customers, a WAHA, a model, and two workers that stop at every moment."""

    ground: Ground
    before: invariants.Snapshot

    # Set-up and end.

    def begin(self, *, honours: bool, credits_: float = 100, **terms: Any) -> None:
        self.bench = self.ground.bench
        self.writer, self.turnstile = Writer(), Turnstile()
        self.phone = Phone(honours)
        self.phone.before_call = self._must_not_be_silenced
        engine = "NOWEB" if honours else "WEBJS"
        self.shop: Business = self.wait(
            self.bench.business(credits_=credits_, engine=engine, **terms)
        )
        self.waha = WahaSession(engine=engine, session=self.shop.session)
        self.workers = [self._worker("worker:1"), self._worker("worker:2")]
        self.written: set[str] = set()
        self.forgiven: set[str] = set()
        self.said_over_people: list[str] = []
        self.ground.errors.clear()
        self.verified = -1
        self.before = self.snapshot()

    def _worker(self, owner: str, *, free: bool = False) -> Worker:
        world = {"answerer": self.writer, "sender": self.phone, "limiter": self.turnstile}
        return Worker(replace(self.bench.engine(owner), **world), self.phone, free=free)

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        try:
            self.end()
        finally:
            faults.install_plan("")
            for worker in self.workers:
                self.wait(worker.drop())
            for statement in (_FORGET, _CLEAR):
                self.wait(self.ground.rows.execute(statement, self.shop.tenant_id))

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.ground.runner.run(work)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run something that a planned kill may end."""
        with mock.patch("os.kill", die):
            return self.wait(survive(work))

    # What happens outside.

    def deliver(self, body: Body, *, drain: bool = True) -> None:
        """WAHA tells of an event until it is taken; then it may be normalised."""
        name = f"{body['event']}\0{body['id']}".encode()
        delivery = Delivery(
            tenant_id=self.shop.tenant_id,
            channel_id=self.shop.channel_id,
            key=hashlib.sha256(name).digest()[:16],
            inbox_id=ids.uuid7(),
            event=str(body["event"]),
            body=encode(body),
            request_id=ids.request_id(),
        )
        self.wait(store(self.bench.database.db, [delivery]))
        if drain:
            self.run(self.bench.drain)

    def customer_writes(
        self, chat: str, *, drain: bool = True, picture: bool = False, **more: Any
    ) -> Written:
        build = self.waha.media if picture else self.waha.message
        body = build(chat=chat, **more)
        wa_id = body["payload"]["id"].split("_")[2]
        self.written.add(wa_id)
        self.deliver(body, drain=drain)
        return Written(body, chat, wa_id)

    def give_back(self) -> None:
        """People give all conversations back to the assistant."""
        self.people("give_back", states=("open", "snoozed"))

    def people(self, wish: str, *, states: Sequence[str], **more: Any) -> None:
        """Somebody at the desk does something with each conversation in one of the states."""
        deed = getattr(ownership, wish)
        tenant_id = self.shop.tenant_id

        async def work() -> None:
            async with self.bench.database.db.tenant(tenant_id) as connection:
                found = await connection.execute(
                    _IN_STATES, {"tenant_id": tenant_id, "states": list(states)}
                )
            for conversation_id in found.scalars():
                async with self.bench.database.db.tenant(tenant_id) as connection:
                    with suppress(ConflictError):
                        await deed(connection, tenant_id, conversation_id, _NOBODY, **more)

        self.run(work)

    def person_writes(self) -> None:
        """Somebody answers in the inbox, in the newest thread."""
        db, tenant_id = self.bench.database.db, self.shop.tenant_id
        inbox = Inbox(db, SilentBell(), ChangeFeed(db))
        body = f"person {len(self.phone.said_at_desk)}"
        self.phone.said_at_desk.append(body)

        async def work() -> None:
            newest = await self.ground.rows.fetchval(_NEWEST, tenant_id)
            draft = Draft(body=body, form_key=ids.uuid7())
            await inbox.send(person_of(tenant_id), newest, draft)

        self.run(work)

    def desk_works(self) -> None:
        """A worker sends what people wrote, as far as it gets."""
        world = {"sender": self.phone, "limiter": self.turnstile}
        delivery = DeskDelivery(replace(self.bench.engine("worker:desk"), **world))

        async def work() -> None:
            for claimed in await delivery.claim(sends_max=4):
                await delivery.deliver(claimed)

        self.run(work)

    def pass_time(self, seconds: float) -> None:
        self.wait(clock.age_tenant(self.ground.rows, self.shop.tenant_id, seconds))

    def chore(self, name: str) -> None:
        doubted = {p["hold_id"] for p in self.before.parts if p["state"] in {"unknown", "sending"}}
        self.run(lambda: self.bench.chore(name))
        if name == "settle_doubt":
            now = self.snapshot()
            self.forgiven |= {
                h["id"] for h in now.holds if h["state"] == "released" and h["id"] in doubted
            }

    def read_back(self) -> None:
        """Compare doubtful sends with what WAHA lists."""
        self.wait(
            self.ground.rows.execute(
                "update channels set reconcile_due_at = now() + interval '1 day'"
                " where tenant_id = $1",
                self.shop.tenant_id,
            )
        )
        settings = self.bench.settings
        reconciler = Reconciler(self.bench.database.db, self.phone, settings, settings.keyring())
        self.run(reconciler.run_once)

    def doom(self, point: str) -> None:
        """Whoever comes to this point next dies there."""
        faults.install_plan(f"{point}=kill")

    async def _must_not_be_silenced(self, text: str) -> None:
        if await self.ground.rows.fetchval(_SILENCED, self.shop.tenant_id, text):
            self.said_over_people.append(text)

    # What workers do.

    def claim(self, number: int) -> None:
        if not self.workers[number].busy:
            self.run(self.workers[number].claim)

    def proceed(self, number: int, steps: int) -> None:
        for _ in range(steps):
            if self.workers[number].busy:
                self.step(number)

    def step(self, number: int) -> None:
        """One transaction or call of a worker; one whose lease is gone must change nothing."""
        worker, before = self.workers[number], self.snapshot()
        turn = worker.turn
        assert turn is not None
        row = before.turn(turn.id)
        stale = row["lease_epoch"] != turn.epoch or row["state"] not in invariants.LIVE
        self.run(worker.step)
        if not stale:
            return
        now = self.snapshot()
        if now == before:
            return
        # An answer of WAHA is a fact, whoever brings it; nothing else may come from the past.
        known = {part["id"]: part for part in before.parts}
        moved = [(known.get(p["id"]), p) for p in now.parts if p != known.get(p["id"])]
        facts = [p for was, p in moved if was and (p["accepted"] or was["attempts"] == 1)]
        assert facts, f"a stale worker changed {moved or 'the turn'}"

    # What must hold.

    def snapshot(self) -> invariants.Snapshot:
        return self.wait(invariants.take(self.ground.rows, self.shop.tenant_id))

    def check(self) -> None:
        if not hasattr(self, "before"):
            return
        now = self.snapshot()
        self.forgiven |= {p["hold_id"] for p in now.parts if p["error"] == "ack_error"}
        found = list(invariants.breaches(self.before, now, self.phone, self.writer, self.forgiven))
        found += [f"people own it, and it is told: {t}" for t in self.said_over_people]
        found += self.ground.errors
        assert not found, found
        self.before = now
        if now.entries != self.verified:
            self.verified = now.entries
            self.wait(self._verify())

    async def _verify(self) -> None:
        async with self.bench.database.db.system() as connection:
            proof = await verify_tenant(connection, self.shop.tenant_id, invariants=PROOF)
        assert proof.findings == ()

    def end(self) -> None:
        """Whatever was going on dies; from then on all goes well, until nothing is due."""
        faults.install_plan("")
        for worker in self.workers:
            self.wait(worker.drop())
        self.phone.outcomes.clear()
        self.writer.kinds.clear()
        self.turnstile.refusals = 0
        self.check()
        for _ in range(ROUNDS_MAX):
            self._work_through()
            for name in ("release_orphaned_holds", "adopt_strays", "settle_doubt", "settle_proven"):
                self.chore(name)
            self.check()
            if not list(invariants.unfinished(self.before)):
                break
            self.pass_time(100)
        self.pass_time(DAY_S)
        self.chore("settle_doubt")
        self.check()
        found = list(invariants.unfinished(self.before))
        found += invariants.final_breaches(
            self.before, self.phone, self.writer, self.written, CREDIT
        )
        assert not found, found

    def _work_through(self) -> None:
        self.run(self.bench.drain)
        worker = self._worker("worker:last", free=True)
        while self.wait(worker.claim()):
            assert not worker.busy
        self.desk_works()


def explore(
    machine: type[EngineMachine], database: TestDatabase, config: Settings, **timings: float
) -> None:
    """Run a machine's examples, from a thread that has no event loop of its own."""
    with asyncio.Runner() as runner:
        own = Database(app_url=database.app_url, system_url=database.system_url, pool_size=2)
        bench = Bench(replace(database, db=own), config)
        bench.with_timings(**timings)
        rows = runner.run(asyncpg.connect(database.superuser_url))
        ground = Ground(runner, bench, rows)
        handler = Errors(ground.errors)
        logging.getLogger().addHandler(handler)
        try:
            run_state_machine_as_test(
                type(machine.__name__, (machine,), {"ground": ground}),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=EXAMPLES <= EXAMPLES_USUAL,
                    database=None,
                    phases=PHASES,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            logging.getLogger().removeHandler(handler)
            runner.run(rows.close())
            runner.run(bench.close())
            runner.run(own.close())
