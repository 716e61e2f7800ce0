"""Credits over all businesses, for platform admins: a day's movements, holds by age, margin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

AGE_MARKS_S = (60, 600, 3600, 86_400)
"""Holds are counted by age below each of these, and above the last."""

# One index scan a business: the day's movements alone, none of their rows.
_DAY: Final = text("""
select coalesce(sum(d.granted), 0)::bigint, coalesce(sum(d.used), 0)::bigint,
       coalesce(sum(d.refunded), 0)::bigint, coalesce(sum(d.expired), 0)::bigint,
       coalesce(sum(d.clawed), 0)::bigint, coalesce(sum(d.charges), 0)::bigint
from tenants t
cross join lateral (
    select sum(j.amount_ucr) filter (where j.kind = 'grant') as granted,
           sum(j.amount_ucr) filter (where j.kind = 'capture') as used,
           sum(j.amount_ucr) filter (where j.kind = 'refund') as refunded,
           sum(j.amount_ucr) filter (where j.kind = 'expire') as expired,
           sum(j.amount_ucr) filter (where j.kind in ('claw', 'settle_owed')) as clawed,
           count(*) filter (where j.kind = 'capture') as charges
    from journal j
    where j.tenant_id = t.id and j.created_at >= date_trunc('day', now())
        and j.kind not in ('hold', 'release')
) d
""")
_TOTALS: Final = text("""
select coalesce(sum(available_ucr), 0)::bigint, coalesce(sum(held_ucr), 0)::bigint,
       coalesce(sum(spent_ucr), 0)::bigint, coalesce(sum(owed_ucr), 0)::bigint,
       count(*) filter (where frozen_at is not null), count(*) filter (where owed_ucr > 0),
       count(*) filter (where stopped_at is not null)
from wallets
""")
_HOLDS: Final = text("""
select width_bucket(extract(epoch from now() - h.created_at)::float8, cast(:marks as float8[]))
           as age, count(*), sum(h.amount_ucr)::bigint
from credit_holds h join tenants t on t.id = h.tenant_id
where h.state = 'pending' group by 1 order by 1
""")
_OLDEST_HOLDS: Final = text("""
select h.tenant_id, t.name, h.created_at, h.amount_ucr, u.state as turn_state
from credit_holds h
join tenants t on t.id = h.tenant_id
left join turns u on u.tenant_id = h.tenant_id and u.id = h.job_id
where h.state = 'pending' order by h.created_at limit :rows_max
""")


@dataclass(frozen=True, slots=True)
class Day:
    """What moved since midnight (UTC), in micro-credits, and how many replies were charged."""

    granted_ucr: int
    used_ucr: int
    refunded_ucr: int
    expired_ucr: int
    clawed_ucr: int
    charges: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All wallets together, and how many of them cannot be used as they should."""

    available_ucr: int
    held_ucr: int
    spent_ucr: int
    owed_ucr: int
    frozen: int
    owing: int
    stopped: int


@dataclass(frozen=True, slots=True)
class HoldsOfAge:
    """Pending holds of one age: ``age`` counts the marks of ``AGE_MARKS_S`` that they passed."""

    age: int
    count: int
    amount_ucr: int


@dataclass(frozen=True, slots=True)
class OldHold:
    """A hold that waits longest, with the state of its turn; None when that is gone."""

    tenant_id: UUID
    business: str
    created_at: datetime
    amount_ucr: int
    turn_state: str | None


async def day(connection: AsyncConnection) -> Day:
    """Return what moved today over all businesses (system scope)."""
    return Day(*(await connection.execute(_DAY)).one())


async def totals(connection: AsyncConnection) -> Totals:
    """Return all wallets together (system scope)."""
    return Totals(*(await connection.execute(_TOTALS)).one())


async def holds_by_age(connection: AsyncConnection) -> list[HoldsOfAge]:
    """Return pending holds by age, the youngest first (system scope)."""
    rows = await connection.execute(_HOLDS, {"marks": list(map(float, AGE_MARKS_S))})
    return [HoldsOfAge(*row) for row in rows]


async def oldest_holds(connection: AsyncConnection, *, rows_max: int = 20) -> list[OldHold]:
    """Return the holds that wait longest (system scope)."""
    rows = await connection.execute(_OLDEST_HOLDS, {"rows_max": rows_max})
    return [OldHold(*row) for row in rows]
