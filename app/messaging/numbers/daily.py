"""A business's figures by the day: received, answered, handed over, silent and why, how fast.

Message and turn ids are UUIDv7, so a day is a range of the primary key: today is counted when
somebody looks, over at most ``TODAY_ROWS_MAX`` rows; days that are over are kept in
``tenant_days`` (counted again for six hours, while late dispositions come in). Reply times are
a histogram, so that days add up; its median is read off between two edges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

EDGES_S = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 90, 120, 180, 300, 600, 1800, 3600)
"""Upper edges of the histogram's steps, in seconds; what is slower falls into a last one."""
TODAY_ROWS_MAX = 30_000
_DAYS_A_RUN = 200

_FLOOR = (
    "(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid"
)
_COUNT = f"""
    select b.tenant_id, b.day,
        coalesce(sum(m.n), 0)::int as received,
        coalesce(sum(m.n) filter (where m.disposition in ('answered', 'merged')), 0)::int
            as answered,
        coalesce(sum(m.n) filter (
            where m.disposition in ('handed_off', 'failed_handed_off')), 0)::int as handed_over,
        coalesce(jsonb_object_agg(m.disposition, m.n) filter (
            where m.disposition not in
                ('answered', 'merged', 'handed_off', 'failed_handed_off')), '{{}}') as silent,
        (select array_agg(coalesce(r.n, 0)::int order by s)
         from generate_series(0, {len(EDGES_S)}) s left join (
            select width_bucket(extract(epoch from x.finished_at - x.first_at)::float8,
                                array{list(EDGES_S)}::float8[]) as step, count(*) as n
            from (select t.finished_at, t.first_at from turns t
                  where t.tenant_id = b.tenant_id and t.id >= b.from_id and t.id < b.until_id
                    and t.state = 'done' and t.generated_at is not null
                  order by t.id desc limit :rows_max) x
            group by 1) r on r.step = s) as reply_counts,
        (select coalesce(sum(case j.kind when 'capture' then j.amount_ucr
                                         when 'refund' then -j.amount_ucr end), 0)::bigint
         from journal j where j.tenant_id = b.tenant_id and j.kind not in ('hold', 'release')
           and j.created_at >= b.from_at and j.created_at < b.until_at) as spent_ucr
    from bounds b left join lateral (
        select y.disposition, count(*) as n
        from (select i.disposition, i.direction from messages i
              where i.tenant_id = b.tenant_id and i.id >= b.from_id and i.id < b.until_id
              order by i.id desc limit :rows_max) y
        where y.direction = 'in' group by 1) m on true
    group by b.tenant_id, b.day, b.from_id, b.until_id, b.from_at, b.until_at
"""  # noqa: S608 - our own figures
_BOUNDS = f"""
    select d.tenant_id, d.day, d.from_at, d.until_at, {_FLOOR.format(at="d.from_at")} as from_id,
           {_FLOOR.format(at="d.until_at")} as until_id
"""
_TODAY = text(
    f"""
    with bounds as ({_BOUNDS} from (
        select t.id as tenant_id, l.today as day, l.today::timestamp at time zone t.time_zone
            as from_at, (l.today + 1)::timestamp at time zone t.time_zone as until_at
        from tenants t cross join lateral (
            select (now() at time zone t.time_zone)::date as today) l
        where t.id = :tenant_id) d)
    {_COUNT}
    """  # noqa: S608
)
_PAST = text(
    """
    select day, received, answered, handed_over, silent, reply_counts, spent_ucr
    from tenant_days where tenant_id = :tenant_id and day >= :since order by day
    """
)
# One statement counts and keeps a batch: a day that is missing, or was counted too early.
_KEEP = text(
    f"""
    with due as (
        select t.id as tenant_id, d.day,
               d.day::timestamp at time zone t.time_zone as from_at,
               (d.day + 1)::timestamp at time zone t.time_zone as until_at
        from tenants t cross join lateral (
            select (now() at time zone t.time_zone)::date as today,
                   (t.created_at at time zone t.time_zone)::date as born) l
        cross join lateral (
            select g::date as day from generate_series(
                greatest(l.born, l.today - 31)::timestamp, (l.today - 1)::timestamp,
                interval '1 day') g) d
        left join tenant_days k on k.tenant_id = t.id and k.day = d.day
        where t.status = 'active' and (k.day is null or (
            k.counted_at < now() - interval '1 hour' and k.counted_at
                < (d.day + 1)::timestamp at time zone t.time_zone + interval '6 hours'))
        order by d.day desc limit :days_max
    ), bounds as ({_BOUNDS} from due d)
    insert into tenant_days (tenant_id, day, received, answered, handed_over, silent,
                             reply_counts, spent_ucr)
    {_COUNT}
    on conflict (tenant_id, day) do update set received = excluded.received,
        answered = excluded.answered, handed_over = excluded.handed_over,
        silent = excluded.silent, reply_counts = excluded.reply_counts,
        spent_ucr = excluded.spent_ucr, counted_at = now()
    """  # noqa: S608
)
_DAY_ROWS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of one day, or of several added up."""

    day: date
    received: int = 0
    answered: int = 0
    handed_over: int = 0
    silent: dict[str, int] = field(default_factory=dict)
    reply_counts: tuple[int, ...] = ()
    spent_ucr: int = 0


async def today_of(connection: AsyncConnection, tenant_id: UUID) -> Day:
    """Count today, in the business's time zone."""
    values = {"tenant_id": tenant_id, "rows_max": TODAY_ROWS_MAX}
    return _day((await connection.execute(_TODAY, values)).one())


async def past_days(connection: AsyncConnection, tenant_id: UUID, since: date) -> list[Day]:
    """Return the days that are over, the oldest first; days without figures are missing."""
    found = await connection.execute(_PAST, {"tenant_id": tenant_id, "since": since})
    return [_day(row) for row in found]


async def count_days(connection: AsyncConnection) -> int:
    """Keep the figures of days that are over; return how many were counted."""
    values = {"days_max": _DAYS_A_RUN, "rows_max": _DAY_ROWS_MAX}
    return int((await connection.execute(_KEEP, values)).rowcount)


def added_up(days: Iterable[Day], day: date) -> Day:
    """Return the sum of several days."""
    received = answered = handed_over = spent_ucr = 0
    silent: dict[str, int] = {}
    counts = [0] * (len(EDGES_S) + 1)
    for one in days:
        received += one.received
        answered += one.answered
        handed_over += one.handed_over
        spent_ucr += one.spent_ucr
        for reason, number in one.silent.items():
            silent[reason] = silent.get(reason, 0) + number
        counts = [a + b for a, b in zip(counts, one.reply_counts or [0] * len(counts), strict=True)]
    return Day(day, received, answered, handed_over, silent, tuple(counts), spent_ucr)


def percentile_s(counts: Sequence[int], share: float) -> float | None:
    """Read a percentile off a histogram of reply times, in seconds; None without replies."""
    total = sum(counts)
    if not total:
        return None
    wanted, passed = share * total, 0.0
    for step, number in enumerate(counts):
        if number and passed + number >= wanted:
            low = EDGES_S[step - 1] if step else 0
            high = EDGES_S[step] if step < len(EDGES_S) else EDGES_S[-1]
            return low + (high - low) * (wanted - passed) / number
        passed += number
    return float(EDGES_S[-1])


def _day(row: Any) -> Day:
    return Day(
        row.day,
        row.received,
        row.answered,
        row.handed_over,
        dict(row.silent),
        tuple(row.reply_counts),
        row.spent_ucr,
    )
