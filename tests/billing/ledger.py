"""One tenant's ledger as a test drives it: each call is its own transaction."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import text

from app.core.db.engine import Database
from app.core.ids import uuid7
from billing.ledger import service
from billing.ledger.schemas import (
    Balance,
    Clawback,
    CloseRequest,
    Grant,
    HoldRequest,
    Refund,
)
from billing.verify import Proof, verify_tenant

CREDIT = 1_000_000
INSERT_PLAN = text("insert into plans (code, name) values ('test', 'Test') on conflict do nothing")
INSERT_TENANT = text(
    "insert into tenants (id, slug, name, plan_code) values (:id, :slug, 'Test', 'test')"
)


@dataclass(frozen=True)
class Ledger:
    db: Database
    tenant_id: UUID

    @classmethod
    async def with_tenant(cls, db: Database) -> "Ledger":
        tenant_id = uuid7()
        async with db.system() as connection:
            await connection.execute(INSERT_PLAN)
            await connection.execute(INSERT_TENANT, {"id": tenant_id, "slug": f"t-{tenant_id}"})
            await service.open_wallet(connection, tenant_id)
        return cls(db, tenant_id)

    async def grant(self, amount_ucr, *, ref=None, lot_id=None, source="purchase", **terms) -> str:
        request = Grant(
            tenant_id=self.tenant_id,
            lot_id=lot_id or uuid7(),
            source=source,
            source_ref=ref or str(uuid4()),
            amount_ucr=amount_ucr,
            created_by="test",
            **terms,
        )
        async with self.db.system() as connection:
            return await service.grant(connection, request)

    def holding(
        self, amount_ucr=CREDIT, *, hold_id=None, job_id=None, contact_id=None
    ) -> HoldRequest:
        return HoldRequest(
            tenant_id=self.tenant_id,
            hold_id=hold_id or uuid4(),
            job_id=job_id or uuid4(),
            amount_ucr=amount_ucr,
            price_version_id=1,
            created_by="test",
            request_id="req_test",
            contact_id=contact_id,
        )

    def closing(self, hold_id, captured_ucr, **more) -> CloseRequest:
        return CloseRequest(
            tenant_id=self.tenant_id, hold_id=hold_id, captured_ucr=captured_ucr, **more
        )

    async def hold(self, request: HoldRequest) -> str:
        async with self.db.tenant(self.tenant_id) as connection:
            outcome = (await service.hold_many(connection, [request]))[request.hold_id]
        return f"{outcome.verdict}:{outcome.state}" if outcome.state else str(outcome.verdict)

    async def close(self, request: CloseRequest) -> str:
        async with self.db.tenant(self.tenant_id) as connection:
            outcome = (await service.close_many(connection, [request]))[request.hold_id]
        return f"{outcome.verdict}:{outcome.state}" if outcome.state else str(outcome.verdict)

    async def charge(self, held_ucr, captured_ucr) -> UUID:
        request = self.holding(held_ucr)
        assert await self.hold(request) == "held"
        assert await self.close(self.closing(request.hold_id, captured_ucr)) in {
            "captured",
            "released",
        }
        return request.hold_id

    async def refund(self, hold_id, amount_ucr, *, op_id=None) -> str:
        request = Refund(
            tenant_id=self.tenant_id,
            op_id=op_id or uuid4(),
            hold_id=hold_id,
            amount_ucr=amount_ucr,
            reason="not delivered",
            created_by="test",
        )
        async with self.db.tenant(self.tenant_id) as connection:
            return await service.refund(connection, request)

    async def claw(self, amount_ucr, *, op_id=None, lot_id=None) -> str:
        request = Clawback(
            tenant_id=self.tenant_id,
            op_id=op_id or uuid4(),
            lot_id=lot_id,
            amount_ucr=amount_ucr,
            reason="charge-back",
            created_by="test",
        )
        async with self.db.system() as connection:
            return await service.claw(connection, request)

    async def expire(self) -> int:
        async with self.db.system() as connection:
            return await service.expire(connection, self.tenant_id)

    async def balance(self) -> Balance:
        async with self.db.tenant(self.tenant_id) as connection:
            return await service.balance(connection, self.tenant_id)

    async def lots(self) -> dict[str, tuple[int, ...]]:
        """Buckets (available, held, spent, expired, clawed) by source_ref."""
        async with self.db.tenant(self.tenant_id) as connection:
            rows = await connection.execute(
                text(
                    "select source_ref, available_ucr, held_ucr, spent_ucr, expired_ucr,"
                    " clawed_ucr from credit_lots where tenant_id = :t"
                ),
                {"t": self.tenant_id},
            )
            return {row[0]: tuple(row[1:]) for row in rows}

    async def proof(self) -> Proof:
        async with self.db.system() as connection:
            return await verify_tenant(connection, self.tenant_id)

    async def assert_proved(self) -> None:
        assert (await self.proof()).findings == ()
