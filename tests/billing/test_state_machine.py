"""Any sequence of operations, retries and crashes leaves the ledger equal to its model.

``PARLEY_EXAMPLES`` asks for a longer campaign; without it the examples are the same thousand
each time. To run so many, an example has a tenant of its own on one connection, and the
invariants are one statement that the server has prepared.

A crash is a transaction that ends between two of its statements, by a rollback or by the loss
of its connection; what it did must be gone, and the same requests must then do it once.
"""

import asyncio
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import TextClause, text

from app.core.ids import uuid7
from billing.ledger import service
from billing.ledger.invariants import INVARIANTS
from billing.ledger.schemas import (
    PRIORITIES,
    Clawback,
    CloseRequest,
    Grant,
    HoldRequest,
    Refund,
)
from tests.billing.ledger import INSERT_PLAN, INSERT_TENANT
from tests.billing.model import Model

EXAMPLES_USUAL = 1_000
EXAMPLES = int(os.environ.get("PARLEY_EXAMPLES", EXAMPLES_USUAL))
STEPS = 8
PAST = datetime(2001, 1, 1, tzinfo=UTC)
GONE = datetime(2002, 1, 1, tzinfo=UTC)
FAR = datetime(2999, 1, 1, tzinfo=UTC)
AMOUNTS = st.integers(1, 30)
SOURCES = st.sampled_from(list(PRIORITIES))
# "single" and "whole" do not crash: a statement by itself, or a transaction.
CRASHES = st.sampled_from(
    [*["single"] * 3, "whole", "rollback", "savepoint", "rollback", "savepoint", "kill"]
)
_NAME = re.compile(r"(?<!:):(\w+)")
PROOF = text(
    "\nunion all\n".join(
        f"select {each.number} as rule, found.* from ({each.sql}) as found(a, b, c)"
        for each in INVARIANTS
    )
)
WALLET = text("""
select available_ucr, held_ucr, spent_ucr, expired_ucr, clawed_ucr, owed_ucr
from wallets where tenant_id = :tenant_id
""")
SOON = text("select now() + interval '1 microsecond'")
BUCKETS = ("available", "held", "spent", "expired", "clawed")


class Link:
    """What the ledger's service needs of a connection, without what a thousand examples need not.

    The same statements reach the same driver as in the product; only the layer between them,
    which takes five times as long as the ledger itself, is left out.
    """

    def __init__(self, driver: asyncpg.Connection) -> None:
        self.driver = driver
        self._prepared: dict[str, tuple[Any, list[str]]] = {}

    async def execute(self, statement: TextClause, values: dict[str, Any]) -> list[Any]:
        if statement.text not in self._prepared:
            names = list(dict.fromkeys(_NAME.findall(statement.text)))
            numbered = _NAME.sub(lambda m: f"${names.index(m[1]) + 1}", statement.text)
            self._prepared[statement.text] = (await self.driver.prepare(numbered), names)
        prepared, names = self._prepared[statement.text]
        return await prepared.fetch(*(values[name] for name in names))

    async def scalar(self, statement: TextClause, values: dict[str, Any]) -> Any:
        ((found,),) = await self.execute(statement, values)
        return found


# One or more statements of the ledger, and what they answer.
Work = Callable[[Any], Any]


class Server:
    """One connection on a loop of its own, made again when it was lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.loop = asyncio.new_event_loop()
        self.link: Link | None = None
        # Never killed, so that the proof is planned once.
        self.looking = self.loop.run_until_complete(self._connect())

    def look(self, work: Work) -> Any:
        """Run work that only reads."""
        return self.loop.run_until_complete(work(self.looking))

    def run(self, work: Work, crash: str = "whole") -> Any:
        """Run work, in one transaction, after crashing in it as asked."""
        return self.loop.run_until_complete(self._run(work, crash))

    async def _run(self, work: Work, crash: str) -> Any:
        link = await self._linked()
        if crash == "single":
            return await work(link)
        if crash == "rollback":
            await link.driver.execute("begin")
            await work(link)
            await link.driver.execute("rollback")
        elif crash == "kill":
            await link.driver.execute("begin")
            await work(link)
            link.driver.terminate()
            self.link = None
            link = await self._linked()
        await link.driver.execute("begin")
        if crash == "savepoint":
            await link.driver.execute("savepoint before")
            await work(link)
            await link.driver.execute("rollback to savepoint before")
        found = await work(link)
        await link.driver.execute("commit")
        return found

    async def _linked(self) -> Link:
        if self.link is None:
            self.link = await self._connect()
        return self.link

    async def _connect(self) -> Link:
        # Planning the proof takes ten times as long as running it on so few rows.
        plan_once = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
        return Link(await asyncpg.connect(self.url, server_settings=plan_once))

    def close(self) -> None:
        """Let go of everything."""
        for link in (self.looking, self.link):
            if link is not None:
                self.loop.run_until_complete(link.driver.close())
        self.loop.close()


class LedgerMachine(RuleBasedStateMachine):
    server: Server
    holds = Bundle("holds")
    grants = Bundle("grants")
    ops = Bundle("ops")

    @initialize()
    def begin(self) -> None:
        self.tenant_id = uuid7()
        self.model = Model()
        self.frozen = False
        values = {"id": self.tenant_id, "slug": str(self.tenant_id)}

        async def make(link: Link) -> None:
            await link.execute(INSERT_TENANT, values)
            await service.open_wallet(link, self.tenant_id)

        self.server.run(make)

    # The operations, each as one statement of a transaction.

    def granting(self, amount, source, ref, end) -> Work:
        request = Grant(
            tenant_id=self.tenant_id,
            lot_id=uuid7(),
            source=source,
            source_ref=ref,
            amount_ucr=amount,
            created_by="test",
            effective_at=PAST,
            expires_at=end,
        )
        return lambda link: service.grant(link, request)

    def holding(self, request: HoldRequest) -> Work:
        async def work(link: Link) -> str:
            outcome = (await service.hold_many(link, [request]))[request.hold_id]
            return f"{outcome.verdict}:{outcome.state}" if outcome.state else str(outcome.verdict)

        return work

    def closing(self, hold_id: UUID, captured: int) -> Work:
        request = CloseRequest(
            tenant_id=self.tenant_id, hold_id=hold_id, captured_ucr=captured, usage={"n": captured}
        )

        async def work(link: Link) -> str:
            outcome = (await service.close_many(link, [request]))[hold_id]
            return f"{outcome.verdict}:{outcome.state}" if outcome.state else str(outcome.verdict)

        return work

    def refunding(self, op_id: UUID, hold_id: UUID, amount: int) -> Work:
        request = Refund(
            tenant_id=self.tenant_id,
            op_id=op_id,
            hold_id=hold_id,
            amount_ucr=amount,
            reason="not delivered",
            created_by="test",
        )
        return lambda link: service.refund(link, request)

    def clawing(self, op_id: UUID, amount: int) -> Work:
        request = Clawback(
            tenant_id=self.tenant_id,
            op_id=op_id,
            amount_ucr=amount,
            reason="charge-back",
            created_by="test",
        )
        return lambda link: service.claw(link, request)

    def request(self, amount, hold_id=None, job_id=None) -> HoldRequest:
        return HoldRequest(
            tenant_id=self.tenant_id,
            hold_id=hold_id or uuid4(),
            job_id=job_id or uuid4(),
            amount_ucr=amount,
            price_version_id=1,
            created_by="test",
        )

    # What may happen, in any order.

    @rule(
        target=grants,
        amount=AMOUNTS,
        source=SOURCES,
        end=st.sampled_from([None, FAR, GONE]),
        crash=CRASHES,
    )
    def grant(self, amount, source, end, crash):
        ref = str(uuid4())
        work = self.granting(amount, source, ref, end)
        assert self.server.run(work, crash) == "granted"
        known = {} if end is None else {"end": end.timestamp()}
        self.model.grant(amount, PRIORITIES[source], **known, expired=end is GONE)
        return (amount, source, ref, end)

    @rule(known=grants, more=st.integers(0, 1))
    def grant_again(self, known, more):
        amount, *terms = known
        answer = self.server.run(self.granting(amount + more, *terms))
        assert answer == ("conflict" if more else "exists")

    @rule(target=holds, amount=AMOUNTS, held=AMOUNTS)
    def grant_that_expires_while_held(self, amount, held):
        request = self.request(held)

        async def work(link: Link):
            # One transaction has one now(): the lot is good inside it and over right after.
            end = await link.scalar(SOON, {})
            await self.granting(amount, "plan", str(uuid4()), end)(link)
            return end, await self.holding(request)(link)

        end, verdict = self.server.run(work)
        lot = self.model.grant(amount, PRIORITIES["plan"], end=end.timestamp())
        assert verdict == self._expected_hold(request, held)
        lot.expired_already = True
        return multiple(request) if verdict == "held" else multiple()

    @rule(target=holds, amount=st.integers(0, 30), crash=CRASHES)
    def hold(self, amount, crash):
        request = self.request(amount)
        outcome = self.server.run(self.holding(request), crash)
        assert outcome == self._expected_hold(request, amount)
        return multiple(request) if outcome == "held" else multiple()

    @rule(request=holds, other=st.booleans())
    def hold_again(self, request, other):
        state = self.model.holds[request.hold_id].state
        asked = self.request(31, request.hold_id, request.job_id) if other else request
        answer = self.server.run(self.holding(asked))
        assert answer == ("conflict" if other else f"exists:{state}")

    @rule(request=holds)
    def hold_a_job_again(self, request):
        live = self.model.holds[request.hold_id].state != "released"
        if live:
            again = self.request(1, job_id=request.job_id)
            assert self.server.run(self.holding(again)) == "conflict"

    @rule(request=holds, captured=st.integers(0, 31), crash=CRASHES)
    def close(self, request, captured, crash):
        answer = self.server.run(self.closing(request.hold_id, captured), crash)
        assert answer == self.model.close(request.hold_id, captured)

    @rule(target=ops, request=holds, amount=AMOUNTS, crash=CRASHES)
    def refund(self, request, amount, crash):
        op_id = uuid4()
        answer = self.server.run(self.refunding(op_id, request.hold_id, amount), crash)
        assert answer == self.model.refund(request.hold_id, amount)
        return multiple((op_id, request.hold_id, amount)) if answer == "refunded" else multiple()

    @rule(op=ops, more=st.integers(0, 1))
    def refund_again(self, op, more):
        op_id, hold_id, amount = op
        answer = self.server.run(self.refunding(op_id, hold_id, amount + more))
        assert answer == ("conflict" if more else "exists")

    @rule(amount=AMOUNTS, crash=CRASHES)
    def claw_twice(self, amount, crash):
        op_id = uuid4()
        assert self.server.run(self.clawing(op_id, amount), crash) == self.model.claw(amount)
        assert self.server.run(self.clawing(op_id, amount)) == "exists"
        assert self.server.run(self.clawing(op_id, amount + 1)) == "conflict"

    @rule(crash=CRASHES)
    def expire(self, crash):
        expired = self.server.run(lambda c: service.expire(c, self.tenant_id), crash)
        assert expired == self.model.expire()

    @rule(reason=st.sampled_from(["looked at", None]), crash=CRASHES)
    def freeze(self, reason, crash):
        assert self.server.run(lambda c: service.freeze(c, self.tenant_id, reason), crash)
        self.frozen = reason is not None

    @rule(request=holds, amount=AMOUNTS, crash=CRASHES.filter(lambda c: c != "single"))
    def settle_and_hold_in_one_transaction(self, request, amount, crash):
        """Several statements, so that a crash falls between them."""
        following = self.request(amount)

        async def work(link: Link):
            closed = await self.closing(request.hold_id, 1)(link)
            return closed, await self.holding(following)(link)

        closed, held = self.server.run(work, crash)
        assert closed == self.model.close(request.hold_id, 1)
        assert held == self._expected_hold(following, amount)

    def _expected_hold(self, request, amount) -> str:
        return "blocked" if self.frozen else self.model.hold(request.hold_id, amount)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return

        async def look(link: Link):
            findings = await link.execute(PROOF, {"tenant_id": self.tenant_id})
            return findings, await link.execute(WALLET, {"tenant_id": self.tenant_id})

        findings, (wallet,) = self.server.look(look)
        assert findings == []
        expected = (*(self.model.total(bucket) for bucket in BUCKETS), self.model.owed)
        assert tuple(wallet) == expected


def campaign(url: str) -> None:
    """Run the examples in this thread."""
    server = Server(url)
    server.run(lambda link: link.execute(INSERT_PLAN, {}))
    machine = type("Machine", (LedgerMachine,), {"server": server})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=EXAMPLES == EXAMPLES_USUAL,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        server.close()


@pytest.mark.anyio
@pytest.mark.timeout(300 + EXAMPLES)
async def test_every_sequence_keeps_every_invariant(database):
    await asyncio.to_thread(campaign, database.system_url)
