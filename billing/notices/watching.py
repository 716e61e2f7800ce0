"""Chores that look for what a business should be told: low balances, and credits that expire.

The base of the percentages is what was granted since (and with) the last top-up or plan grant;
before the first of them, everything that was ever granted. What is held counts as there, or a
reply under way would announce a mark that its release takes back. A balance that rises above a
mark arms it again. "0 %" is less than the price of a reply.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.caps import STOPPED_BY_HAND
from billing.notices.letters import HAS_READERS, Notices
from billing.notices.spending import tell_cap

EXPIRY_DAYS = (30, 7, 1)
_BATCH = 200

_BALANCES = text(
    """
    with balances as (
        select w.tenant_id, w.available_ucr + w.held_ucr as left_ucr, b.base_ucr,
               greatest(1, coalesce((
                   select per_reply_ucr from price_versions
                   where valid_from <= now() and (valid_until is null or valid_until > now())
               ), 1)) as reply_ucr
        from wallets w join tenants t on t.id = w.tenant_id and t.status = 'active'
        cross join lateral (
            select coalesce(sum(l.amount_ucr), 0) as base_ucr from credit_lots l
            where l.tenant_id = w.tenant_id and l.created_at >= coalesce((
                select max(created_at) from credit_lots
                where tenant_id = w.tenant_id and source in ('plan', 'purchase')), '-infinity')
        ) b
        where b.base_ucr > 0
    ), marked as (
        select *, case
            when left_ucr < reply_ucr then 0
            when left_ucr * 100 <= base_ucr * 5 then 5
            when left_ucr * 100 <= base_ucr * 20 then 20
            when left_ucr * 100 <= base_ucr * 50 then 50
            else 100 end as percent
        from balances
    )
    select m.tenant_id, m.percent, m.left_ucr, m.base_ucr, coalesce(b.percent, 100) as before,
           coalesce(b.notices, 0) as notices
    from marked m left join balance_marks b on b.tenant_id = m.tenant_id
    where m.percent <> coalesce(b.percent, 100)
    order by m.tenant_id limit :batch_max
    """
)
_MARK = text(
    """
    insert into balance_marks (tenant_id, percent, base_ucr, notices)
    values (:tenant_id, :percent, :base_ucr, :notices)
    on conflict (tenant_id) do update set
        percent = excluded.percent, base_ucr = excluded.base_ucr, notices = excluded.notices
    """
)
# Only the nearest date is told, and none that reaches back to the day of the grant: a month's
# plan credits are not announced to expire in thirty days. Where nobody can be told nothing is
# looked for: it would fill the batch for ever.
_EXPIRING = text(
    f"""
    select l.tenant_id, l.id, l.available_ucr, l.expires_at, d.days
    from credit_lots l join tenants t on t.id = l.tenant_id and t.status = 'active'
    cross join lateral (
        select min(days) as days from unnest(cast(:days as int[])) days
        where l.expires_at <= now() + make_interval(days => days)
    ) d
    where l.open and l.available_ucr > 0 and l.expires_at > now() and d.days is not null
      and l.expires_at - l.effective_at > make_interval(days => d.days + 1)
      and not exists (
          select 1 from mails m where m.tenant_id = l.tenant_id
            and m.key = 'expiry:' || l.id || ':' || d.days)
      and {HAS_READERS}
    order by l.tenant_id, l.id limit :batch_max
    """  # noqa: S608 - our own condition
)
# The mail's row says that it was told, and is kept for ninety days.
_STOPPED = text(
    f"""
    select w.tenant_id, w.stopped_reason,
           cast(extract(epoch from w.stopped_at) as bigint) as stopped_s
    from wallets w join tenants t on t.id = w.tenant_id and t.status = 'active'
    where w.stopped_at > now() - interval '30 days' and w.stopped_reason <> :by_hand
      and {HAS_READERS} and not exists (
        select 1 from mails m where m.tenant_id = w.tenant_id
          and m.key = 'stopped:' || cast(extract(epoch from w.stopped_at) as bigint))
    order by w.tenant_id limit :batch_max
    """  # noqa: S608 - our own condition
)

CAP_MARKS = (80, 100)
# The highest mark that this month's use has passed; the mail's row says that it was told.
_CAPS = text(
    f"""
    select w.tenant_id, w.month_ucr, w.monthly_cap_ucr, m.percent,
           to_char(w.month_from at time zone t.time_zone, 'YYYY-MM') || ':' || m.percent as occasion
    from wallets w join tenants t on t.id = w.tenant_id and t.status = 'active'
    cross join lateral (
        select max(mark) as percent from unnest(cast(:marks as int[])) mark
        where w.month_ucr + case when mark = 100 then greatest(1, coalesce((
            select per_reply_ucr from price_versions
            where valid_from <= now() and (valid_until is null or valid_until > now())
        ), 1)) - 1 else 0 end >= w.monthly_cap_ucr::numeric * mark / 100
    ) m
    where w.monthly_cap_ucr > 0 and w.month_until > now() and m.percent is not null
      and {HAS_READERS} and not exists (
        select 1 from mails x where x.tenant_id = w.tenant_id
          and x.key = 'cap:' || to_char(w.month_from at time zone t.time_zone, 'YYYY-MM')
              || ':' || m.percent)
    order by w.tenant_id limit :batch_max
    """  # noqa: S608 - our own condition
)


async def watch_caps(connection: AsyncConnection, notices: Notices) -> int:
    """Tell of monthly caps that are 80 or 100 percent used, once each; how many letters."""
    values = {"marks": list(CAP_MARKS), "batch_max": _BATCH}
    queued = 0
    for row in (await connection.execute(_CAPS, values)).all():
        queued += await tell_cap(
            notices,
            connection,
            row.tenant_id,
            occasion=row.occasion,
            percent=row.percent,
            used_ucr=row.month_ucr,
            cap_ucr=row.monthly_cap_ucr,
        )
    return queued


async def watch_balances(connection: AsyncConnection, notices: Notices) -> int:
    """Tell each tenant whose balance fell to a lower mark, once per crossing."""
    rows = (await connection.execute(_BALANCES, {"batch_max": _BATCH})).all()
    for row in rows:
        fell = row.percent < row.before
        number = row.notices + int(fell)
        values = {"tenant_id": row.tenant_id, "percent": row.percent, "base_ucr": row.base_ucr}
        await connection.execute(_MARK, {**values, "notices": number})
        if fell:
            await _tell_balance(connection, notices, row, number)
    return len(rows)


async def watch_expiries(connection: AsyncConnection, notices: Notices) -> int:
    """Tell of credits that expire in 30, 7 or 1 days, once each; returns how many letters."""
    rows = (
        await connection.execute(_EXPIRING, {"days": list(EXPIRY_DAYS), "batch_max": _BATCH})
    ).all()
    queued = 0
    for row in rows:
        queued += await notices.expiry(
            connection,
            row.tenant_id,
            lot_id=row.id,
            days=row.days,
            left_ucr=row.available_ucr,
            expires_at=row.expires_at,
        )
    return queued


async def watch_stops(connection: AsyncConnection, notices: Notices) -> int:
    """Tell of assistants that their own rule stopped, once per stop; returns how many letters."""
    values = {"batch_max": _BATCH, "by_hand": STOPPED_BY_HAND}
    rows = (await connection.execute(_STOPPED, values)).all()
    queued = 0
    for row in rows:
        queued += await notices.stopped(
            connection, row.tenant_id, occasion=str(row.stopped_s), rule=row.stopped_reason
        )
    return queued


async def _tell_balance(
    connection: AsyncConnection, notices: Notices, row: Any, number: int
) -> None:
    await notices.balance(
        connection,
        row.tenant_id,
        occasion=str(number),
        percent=row.percent,
        left_ucr=row.left_ucr,
        base_ucr=int(row.base_ucr),
    )
