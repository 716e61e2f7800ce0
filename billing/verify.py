"""The proof: recompute a tenant's credits from the entries and check every invariant."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.ledger import service
from billing.ledger.invariants import INVARIANTS, Invariant
from billing.ledger.schemas import Balance

_COUNTS = text("""
select (select count(*) from journal where tenant_id = :tenant_id) as entries,
       (select count(*) from credit_lots where tenant_id = :tenant_id) as lots,
       (select count(*) from credit_holds where tenant_id = :tenant_id) as holds,
       (select count(*) from credit_holds where tenant_id = :tenant_id and state = 'captured')
           as charges,
       (select encode(head_hash, 'hex') from wallets where tenant_id = :tenant_id) as head_hash
""")
_TENANTS = text("select id from tenants order by id")


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks a rule; ``invariant`` is the rule's number."""

    tenant_id: UUID
    invariant: int
    rule: str
    table: str
    row: str
    detail: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at and found; ``head_hash`` (hex) seals the journal up to now."""

    tenant_id: UUID
    balance: Balance
    entries: int
    lots: int
    holds: int
    charges: int
    head_hash: str
    findings: tuple[Finding, ...]

    @property
    def holds_true(self) -> bool:
        """True when every invariant holds."""
        return not self.findings


async def verify_tenant(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    invariants: Sequence[Invariant] = INVARIANTS,
) -> Proof:
    """Check one tenant's invariants, each in one statement; reads only, and needs no lock.

    ``invariants`` are the ledger's own; a layer above passes more of its own with them.
    """
    values = {"tenant_id": tenant_id}
    findings: list[Finding] = []
    for invariant in invariants:
        rows = await connection.execute(text(invariant.sql), values)
        findings += [
            Finding(tenant_id, invariant.number, invariant.rule, table, row or "?", detail)
            for table, row, detail in rows
        ]
    counts = (await connection.execute(_COUNTS, values)).one()
    return Proof(
        tenant_id=tenant_id,
        balance=await service.balance(connection, tenant_id),
        entries=counts.entries,
        lots=counts.lots,
        holds=counts.holds,
        charges=counts.charges,
        head_hash=counts.head_hash or "",
        findings=tuple(findings),
    )


async def tenant_ids(connection: AsyncConnection) -> list[UUID]:
    """List every tenant that the connection may see, with or without a wallet."""
    return list(await connection.scalars(_TENANTS))
