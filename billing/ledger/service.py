"""The ledger's operations: each is one call inside the caller's transaction.

Business outcomes come back as values; exceptions mean that nothing was written: a tenant
outside the caller's scope, a malformed request, an unreachable server. In a transaction that
also locks other rows, lock those first and call the ledger last, and make one batch call
rather than several: wallets are locked in the order of tenant ids, so batches cannot deadlock.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.ledger import queries
from billing.ledger.schemas import (
    PRIORITIES,
    Balance,
    Clawback,
    CloseOutcome,
    CloseRequest,
    CloseVerdict,
    Grant,
    GrantOutcome,
    HoldOutcome,
    HoldRequest,
    HoldVerdict,
    OpOutcome,
    Refund,
)

BATCH_ITEMS_MAX = 1000


async def open_wallet(connection: AsyncConnection, tenant_id: UUID) -> bool:
    """Make a tenant's wallet; False when it has one already."""
    return bool(await connection.scalar(queries.OPEN, {"tenant_id": tenant_id}))


async def grant(connection: AsyncConnection, request: Grant) -> GrantOutcome:
    """Issue credits (system scope only); what the tenant owes is paid from them first."""
    values = asdict(request)
    if request.priority is None:
        values["priority"] = PRIORITIES.get(request.source, max(PRIORITIES.values()))
    return GrantOutcome(await connection.scalar(queries.GRANT, values))


async def hold_many(
    connection: AsyncConnection, requests: Sequence[HoldRequest]
) -> dict[UUID, HoldOutcome]:
    """Hold for up to 1 000 jobs of any tenants in one call; answers by hold id."""
    return {
        hold_id: HoldOutcome(tenant_id, hold_id, HoldVerdict(verdict), state)
        for tenant_id, hold_id, verdict, state in await _batch(
            connection, queries.HOLD_MANY, requests
        )
    }


async def close_many(
    connection: AsyncConnection, requests: Sequence[CloseRequest]
) -> dict[UUID, CloseOutcome]:
    """Settle or release up to 1 000 holds of any tenants in one call; answers by hold id."""
    return {
        hold_id: CloseOutcome(tenant_id, hold_id, CloseVerdict(verdict), state)
        for tenant_id, hold_id, verdict, state in await _batch(
            connection, queries.CLOSE_MANY, requests
        )
    }


async def refund(connection: AsyncConnection, request: Refund) -> OpOutcome:
    """Give back (part of) a charge; never more than was captured and not refunded yet."""
    return OpOutcome(await connection.scalar(queries.REFUND, asdict(request)))


async def claw(connection: AsyncConnection, request: Clawback) -> OpOutcome:
    """Take back credits (system scope only); what is not available becomes owed."""
    return OpOutcome(await connection.scalar(queries.CLAW, asdict(request)))


async def expire(connection: AsyncConnection, tenant_id: UUID) -> int:
    """Expire what is left in lots whose time is over (system scope only); micro-credits."""
    return int(await connection.scalar(queries.EXPIRE, {"tenant_id": tenant_id}) or 0)


async def freeze(connection: AsyncConnection, tenant_id: UUID, reason: str | None) -> bool:
    """Stop new holds, or allow them again with None (system scope only).

    False when the tenant has no wallet.
    """
    values = {"tenant_id": tenant_id, "reason": reason}
    return bool(await connection.scalar(queries.FREEZE, values))


async def balance(connection: AsyncConnection, tenant_id: UUID) -> Balance:
    """Read a tenant's wallet; all zero when it has none."""
    row = (await connection.execute(queries.BALANCE, {"tenant_id": tenant_id})).one_or_none()
    return Balance(**row._mapping) if row else Balance(tenant_id=tenant_id)  # noqa: SLF001


async def _batch(
    connection: AsyncConnection,
    statement: TextClause,
    requests: Sequence[HoldRequest] | Sequence[CloseRequest],
) -> list[tuple[UUID, UUID, str, str | None]]:
    if not requests:
        return []
    if len(requests) > BATCH_ITEMS_MAX:
        raise ValueError(f"a batch has at most {BATCH_ITEMS_MAX} items, not {len(requests)}")
    # Not asdict(): it copies deeply, and that took longer than all else on this side.
    names = [field.name for field in fields(requests[0])]
    items = json.dumps(
        [{name: getattr(r, name) for name in names} for r in requests], default=_as_text
    )
    rows = await connection.execute(statement, {"items": items})
    return [(tenant_id, hold_id, *_split(outcome)) for tenant_id, hold_id, outcome in rows]


def _split(outcome: str) -> tuple[str, str | None]:
    """Part ``exists:pending`` into verdict and state."""
    verdict, _, state = outcome.partition(":")
    return verdict, state or None


def _as_text(value: Any) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot stand in a ledger request")
