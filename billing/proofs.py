"""Nightly proofs on record: who is due, what was found, and what tenants and admins read of it.

A night begins at 02:00 UTC by PostgreSQL's clock; a tenant is proved once in each that it was
there for, whoever leads and however often processes restart: the row's key says so.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.money import format_credits
from billing.ledger import service
from billing.verify import Proof

FINDINGS_MAX = 100
"""Findings kept of a night; ``parley credits verify`` prints all."""
FROZEN_BECAUSE = "the nightly proof found the ledger broken"

_NIGHT = "cast(now() - interval '2 hours' as date)"
_DUE: Final = text(f"""
select t.id from tenants t
where t.created_at < {_NIGHT} + interval '2 hours'
    and not exists (
        select from ledger_proofs p where p.tenant_id = t.id and p.night = {_NIGHT})
order by t.id limit :tenants_max
""")  # noqa: S608 - our own expression
_INSERT: Final = text(f"""
insert into ledger_proofs (tenant_id, night, outcome, figures, findings)
values (:tenant_id, {_NIGHT}, :outcome, cast(:figures as jsonb), cast(:findings as jsonb))
on conflict do nothing
returning night
""")  # noqa: S608 - our own expression
_COLUMNS = "tenant_id, night, ran_at, outcome, figures, findings"
_OF_TENANT: Final = text(
    f"select {_COLUMNS} from ledger_proofs"  # noqa: S608
    " where tenant_id = :tenant_id order by night desc limit :rows_max"
)
_BROKEN: Final = text(
    f"select {_COLUMNS} from ledger_proofs"  # noqa: S608
    " where outcome = 'broken' order by night desc, tenant_id limit :rows_max"
)
_NIGHTS: Final = text("""
select night, count(*) as tenants, count(*) filter (where outcome = 'broken') as broken,
       coalesce(sum((figures ->> 'entries')::bigint), 0)::bigint as entries,
       max(ran_at) as ran_at
from ledger_proofs group by night order by night desc limit :rows_max
""")


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """One tenant's proof of one night.

    ``figures`` has ``entries, lots, holds, charges`` (counts), ``available, held, spent``
    (credits as decimal strings) and ``head_hash``; ``findings`` has ``invariant, rule, table,
    row, detail`` each.
    """

    tenant_id: UUID
    night: date
    ran_at: datetime
    outcome: str
    figures: dict[str, Any]
    findings: list[dict[str, Any]]

    @property
    def holds_true(self) -> bool:
        """True when nothing was found."""
        return self.outcome == "proved"


@dataclass(frozen=True, slots=True)
class Night:
    """One night over all tenants."""

    night: date
    tenants: int
    broken: int
    entries: int
    ran_at: datetime


async def due(connection: AsyncConnection, *, tenants_max: int) -> list[UUID]:
    """List tenants that have no proof of this night yet (system scope)."""
    return list(await connection.scalars(_DUE, {"tenants_max": tenants_max}))


async def keep(connection: AsyncConnection, proof: Proof) -> bool:
    """Put a proof on record, and freeze new holds where it found something (system scope).

    False when this night has one already; then nothing is changed.
    """
    findings = [
        {
            "invariant": f.invariant,
            "rule": f.rule,
            "table": f.table,
            "row": f.row,
            "detail": f.detail,
        }
        for f in proof.findings[:FINDINGS_MAX]
    ]
    kept = await connection.scalar(
        _INSERT,
        {
            "tenant_id": proof.tenant_id,
            "outcome": "proved" if proof.holds_true else "broken",
            "figures": json.dumps(figures(proof)),
            "findings": json.dumps(findings),
        },
    )
    if kept is not None and not proof.holds_true:
        await service.freeze(connection, proof.tenant_id, FROZEN_BECAUSE)
    return kept is not None


def figures(proof: Proof) -> dict[str, Any]:
    """Return a proof's figures as they are kept and shown."""
    return {
        "entries": proof.entries,
        "lots": proof.lots,
        "holds": proof.holds,
        "charges": proof.charges,
        "available": format_credits(proof.balance.available_ucr),
        "held": format_credits(proof.balance.held_ucr),
        "spent": format_credits(proof.balance.spent_ucr),
        "head_hash": proof.head_hash,
        "findings": len(proof.findings),
    }


async def of_tenant(
    connection: AsyncConnection, tenant_id: UUID, *, rows_max: int = 30
) -> list[ProofRecord]:
    """Return a tenant's proofs, the newest first; works in the tenant's scope."""
    values = {"tenant_id": tenant_id, "rows_max": rows_max}
    return [ProofRecord(*row) for row in await connection.execute(_OF_TENANT, values)]


async def broken(connection: AsyncConnection, *, rows_max: int = 100) -> list[ProofRecord]:
    """Return proofs that found something, over all tenants, the newest first (system scope)."""
    return [ProofRecord(*row) for row in await connection.execute(_BROKEN, {"rows_max": rows_max})]


async def nights(connection: AsyncConnection, *, rows_max: int = 30) -> list[Night]:
    """Return the last nights over all tenants, the newest first (system scope)."""
    return [Night(*row) for row in await connection.execute(_NIGHTS, {"rows_max": rows_max})]
