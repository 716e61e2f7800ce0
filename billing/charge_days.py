"""Charges added up by the day: what months of margin and burn rates are read from.

A hold is closed once, and what it was charged then never changes, so days (UTC) can be added up
as they pass: up to a mark that trails the clock by longer than any transaction lasts, kept in
``platform_settings``. Later refunds are few and are taken off by whoever reads.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MARK = "charges_added_up_to"
MARK_SQL = f"""
(select (value #>> '{{}}')::timestamptz from platform_settings where name = '{MARK}')
"""  # noqa: S608 - our own name
"""Up to when the days are complete; null while nothing was added up."""
CHARGED_SQL = f"""
counted as materialized (
    select m.is_good,
           greatest(cast(:since as timestamptz), case when m.is_good then m.mark end) as read_from
    from (select x.mark, x.mark is not null and not exists (
              select from charge_days d
              where d.tenant_id = :tenant_id and d.time_zone <> :time_zone
                and d.day >= (cast(:since as timestamptz) at time zone 'UTC')::date) as is_good
          from (select {MARK_SQL} as mark) x) m
),
charged as (
    select d.local_day as day, d.charges, d.charged_ucr, d.last_charge_at
    from charge_days d
    where d.tenant_id = :tenant_id
        and d.local_day >= (cast(:since as timestamptz) at time zone :time_zone)::date
        and d.local_day < (cast(:until as timestamptz) at time zone :time_zone)::timestamp
        and (select is_good from counted)
    union all
    select (j.created_at at time zone :time_zone)::date, count(*), sum(j.amount_ucr)::bigint,
           max(j.created_at)
    from journal j
    where j.tenant_id = :tenant_id and j.kind not in ('hold', 'release') and j.kind = 'capture'
        and j.created_at >= (select read_from from counted) and j.created_at < :until
    group by 1
)
"""  # noqa: S608 - our own figures
"""Two expressions for a ``with``: ``charged`` are one business's charges between two midnights of
its own, by its days. Takes ``:tenant_id``, ``:time_zone``, ``:since``, ``:until``. Days that were
added up in another time zone than the business has now are read again instead."""
EVERY_S = 300.0
_TRAIL_S = 600
# A business that has years behind it is caught up with day by day.
_AT_ONCE = timedelta(days=1)

_SPAN: Final = text(f"""
select coalesce({MARK_SQL}, (select date_trunc('day', min(created_at), 'UTC') from tenants))
           as since,
       date_trunc('minute', now() - interval '{_TRAIL_S} seconds') as until
""")  # noqa: S608 - our own figures
_CLOSED = """
closed as (
    select h.tenant_id, h.id, (h.closed_at at time zone 'UTC')::date as day, h.state,
           h.captured_ucr, h.cost_usd_micro, h.closed_at
    from credit_holds h where h.closed_at >= :since and h.closed_at < :until
)
"""
_DAYS: Final = text(f"""
with {_CLOSED}
insert into charge_days as d (tenant_id, day, local_day, time_zone, charges, charged_ucr,
                              cost_usd_micro, cost_unknown, first_charge_at, last_charge_at)
select c.tenant_id, c.day, (c.closed_at at time zone t.time_zone)::date as local_day, t.time_zone,
       count(*) filter (where state = 'captured'), sum(captured_ucr)::bigint,
       coalesce(sum(cost_usd_micro), 0)::bigint,
       count(*) filter (where state = 'captured' and cost_usd_micro is null),
       min(c.closed_at) filter (where state = 'captured'),
       max(c.closed_at) filter (where state = 'captured')
from closed c join tenants t on t.id = c.tenant_id
group by c.tenant_id, c.day, local_day, t.time_zone
order by c.tenant_id, c.day, local_day, t.time_zone
on conflict (tenant_id, day, local_day, time_zone) do update set
    charges = d.charges + excluded.charges,
    charged_ucr = d.charged_ucr + excluded.charged_ucr,
    cost_usd_micro = d.cost_usd_micro + excluded.cost_usd_micro,
    cost_unknown = d.cost_unknown + excluded.cost_unknown,
    first_charge_at = coalesce(d.first_charge_at, excluded.first_charge_at),
    last_charge_at = coalesce(excluded.last_charge_at, d.last_charge_at)
""")  # noqa: S608 - our own text
_REVENUE: Final = text(f"""
with {_CLOSED}
insert into charge_day_revenue as d (tenant_id, day, currency, revenue_minor)
select p.tenant_id, c.day, l.currency,
       sum(p.captured_ucr::numeric * l.unit_price_minor / 1000000)
from closed c
join hold_parts p on p.tenant_id = c.tenant_id and p.hold_id = c.id
join credit_lots l on l.tenant_id = p.tenant_id and l.id = p.lot_id
where l.currency is not null
group by p.tenant_id, c.day, l.currency order by p.tenant_id, c.day, l.currency
on conflict (tenant_id, day, currency) do update set
    revenue_minor = d.revenue_minor + excluded.revenue_minor
""")  # noqa: S608 - our own text
_KEEP_MARK: Final = text("""
insert into platform_settings (name, value, updated_at)
values (:name, to_jsonb(cast(:until as timestamptz)), now())
on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at
""")
# One scheduler leads, and a second that has not heard of it yet must not add the same again.
_ALONE: Final = text("select pg_advisory_xact_lock(hashtext('charge_days'))")


async def add_up(connection: AsyncConnection) -> int:
    """Add what was closed since the mark to its days (system scope); return how many days."""
    await connection.execute(_ALONE)
    span = (await connection.execute(_SPAN)).one()
    if span.since is None or span.since >= span.until:
        return 0
    until: datetime = min(span.until, span.since + _AT_ONCE)
    values = {"since": span.since, "until": until}
    days = await connection.execute(_DAYS, values)
    await connection.execute(_REVENUE, values)
    await connection.execute(_KEEP_MARK, {"name": MARK, "until": until})
    return int(days.rowcount)
