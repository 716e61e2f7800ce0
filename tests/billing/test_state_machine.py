"""Any sequence of operations and retries leaves the ledger equal to its model, and proved.

``PARLEY_LEDGER_EXAMPLES`` asks for a longer campaign.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from app.core.db.engine import Database
from app.core.ids import uuid7
from billing.ledger import service
from billing.ledger.schemas import PRIORITIES, Grant
from tests.billing.ledger import Ledger
from tests.billing.model import Model

EXAMPLES = int(os.environ.get("PARLEY_LEDGER_EXAMPLES", "12"))
STEPS = 25
PAST = datetime(2001, 1, 1, tzinfo=UTC)
GONE = datetime(2002, 1, 1, tzinfo=UTC)
FAR = datetime(2999, 1, 1, tzinfo=UTC)
AMOUNTS = st.integers(1, 30)
SOURCES = st.sampled_from(list(PRIORITIES))


class LedgerMachine(RuleBasedStateMachine):
    urls: tuple[str, str]
    holds = Bundle("holds")
    grants = Bundle("grants")
    ops = Bundle("ops")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.db = Database(app_url=self.urls[0], system_url=self.urls[1], pool_size=1)
        self.ledger = self.run(Ledger.with_tenant(self.db))
        self.model = Model()

    def run(self, work):
        return self.runner.run(work)

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.run(self.db.close())
            self.runner.close()

    @rule(target=grants, amount=AMOUNTS, source=SOURCES, end=st.sampled_from([None, FAR, GONE]))
    def grant(self, amount, source, end):
        ref = str(uuid4())
        terms = {"source": source, "effective_at": PAST, "expires_at": end}
        assert self.run(self.ledger.grant(amount, ref=ref, **terms)) == "granted"
        known = {} if end is None else {"end": end.timestamp()}
        self.model.grant(amount, PRIORITIES[source], **known, expired=end is GONE)
        return (ref, amount, terms)

    @rule(known=grants)
    def grant_again(self, known):
        ref, amount, terms = known
        assert self.run(self.ledger.grant(amount, ref=ref, **terms)) == "exists"
        assert self.run(self.ledger.grant(amount + 1, ref=ref, **terms)) == "conflict"

    @rule(target=holds, amount=AMOUNTS, held=AMOUNTS)
    def grant_that_expires_while_held(self, amount, held):
        request = self.ledger.holding(held)

        async def work():
            # One transaction has one now(): the lot is good inside it and over right after.
            async with self.db.system() as connection:
                now = await connection.scalar(text("select now()"))
                end = now + timedelta(microseconds=1)
                await service.grant(
                    connection,
                    Grant(
                        tenant_id=self.ledger.tenant_id,
                        lot_id=uuid7(),
                        source="plan",
                        source_ref=str(uuid4()),
                        amount_ucr=amount,
                        created_by="test",
                        effective_at=PAST,
                        expires_at=end,
                    ),
                )
                outcomes = await service.hold_many(connection, [request])
                return end, outcomes[request.hold_id].verdict

        end, verdict = self.run(work())
        lot = self.model.grant(amount, PRIORITIES["plan"], end=end.timestamp())
        assert verdict == self.model.hold(request.hold_id, held)
        lot.expired_already = True
        return multiple(request) if verdict == "held" else multiple()

    @rule(target=holds, amount=st.integers(0, 30))
    def hold(self, amount):
        request = self.ledger.holding(amount)
        outcome = self.run(self.ledger.hold(request))
        assert outcome == self.model.hold(request.hold_id, amount)
        return multiple(request) if outcome == "held" else multiple()

    @rule(request=holds)
    def hold_again(self, request):
        state = self.model.holds[request.hold_id].state
        assert self.run(self.ledger.hold(request)) == f"exists:{state}"
        other = self.ledger.holding(31, hold_id=request.hold_id, job_id=request.job_id)
        assert self.run(self.ledger.hold(other)) == "conflict"

    @rule(request=holds, captured=st.integers(0, 31))
    def close(self, request, captured):
        closing = self.ledger.closing(request.hold_id, captured, usage={"n": captured})
        assert self.run(self.ledger.close(closing)) == self.model.close(request.hold_id, captured)

    @rule(target=ops, request=holds, amount=AMOUNTS)
    def refund(self, request, amount):
        op_id = uuid4()
        outcome = self.run(self.ledger.refund(request.hold_id, amount, op_id=op_id))
        assert outcome == self.model.refund(request.hold_id, amount)
        return multiple((op_id, request.hold_id, amount)) if outcome == "refunded" else multiple()

    @rule(op=ops)
    def refund_again(self, op):
        op_id, hold_id, amount = op
        assert self.run(self.ledger.refund(hold_id, amount, op_id=op_id)) == "exists"
        assert self.run(self.ledger.refund(hold_id, amount + 1, op_id=op_id)) == "conflict"

    @rule(amount=AMOUNTS)
    def claw_twice(self, amount):
        op_id = uuid4()
        assert self.run(self.ledger.claw(amount, op_id=op_id)) == self.model.claw(amount)
        assert self.run(self.ledger.claw(amount, op_id=op_id)) == "exists"

    @rule()
    def expire(self):
        assert self.run(self.ledger.expire()) == self.model.expire()

    @invariant()
    def equals_the_model_and_is_proved(self):
        if not hasattr(self, "model"):
            return
        proof = self.run(self.ledger.proof())
        assert proof.findings == ()
        balance, model = proof.balance, self.model
        assert (
            balance.available_ucr,
            balance.held_ucr,
            balance.spent_ucr,
            balance.expired_ucr,
            balance.clawed_ucr,
            balance.owed_ucr,
        ) == (
            *(model.total(b) for b in ("available", "held", "spent", "expired", "clawed")),
            model.owed,
        )


@pytest.mark.anyio
async def test_every_sequence_keeps_every_invariant(database):
    machine = type("Machine", (LedgerMachine,), {"urls": (database.app_url, database.system_url)})
    campaign = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=EXAMPLES <= 12,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=campaign)
