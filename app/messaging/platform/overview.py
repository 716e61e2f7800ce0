"""The whole platform in figures, for its admins: traffic, reply times, numbers, processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ALIVE_S = 15
TRAFFIC_S = 300
REPLIES_S = 3600

# Every part of it by an index that a business's id leads, a few steps a business: no figure
# reads the tables of the message path from end to end.
_FIGURES: Final = text(f"""
select
    (select count(*) from tenants where status = 'active') as active,
    (select count(*) from tenants where status = 'suspended') as suspended,
    (select count(*) from tenants where status = 'closing') as closing,
    (select count(*) from tenants where status <> 'closed'
        and created_at > now() - interval '7 days') as new_in_week,
    coalesce(sum(f.received), 0)::bigint as received,
    coalesce(sum(f.sent), 0)::bigint as sent,
    (select count(*) from turns where state in ('waiting', 'due')) as queued,
    (select count(*) from turns
        where state in ('claimed', 'held', 'generated', 'sending')) as in_work,
    (select count(*) from turns
        where state in ('claimed', 'held', 'generated', 'sending')
            and failing_since is not null) as failing,
    (select count(*) from turns
        where state = 'failed'
            and finished_at > now() - make_interval(secs => {REPLIES_S})) as failed,
    (select coalesce(extract(epoch from now() - least(
        (select min(received_at) from inbox_keys where pending),
        (select min(due_at) from turns
            where state in ('waiting', 'due') and due_at < now()))), 0)::float8) as lag_s,
    (select count(*) from credit_requests where state = 'requested') as requests
from tenants t
cross join lateral (
    select count(*) filter (where m.direction = 'in') as received,
           count(*) filter (where m.direction = 'out' and m.author = 'assistant') as sent
    from messages m
    where m.tenant_id = t.id and m.sent_at > now() - make_interval(secs => {TRAFFIC_S})
) f
where t.status <> 'closed'
""")  # noqa: S608 - our own figures
# From the last message of the batch to the last commit of the reply.
_REPLIES: Final = text(f"""
select count(*) as replies,
       percentile_cont(0.5) within group (order by r.took_ms) as p50_ms,
       percentile_cont(0.95) within group (order by r.took_ms) as p95_ms
from tenants t
cross join lateral (
    select extract(epoch from u.finished_at - u.due_at) * 1000 as took_ms
    from turns u
    where u.tenant_id = t.id and u.result is not null and u.state = 'done'
        and u.finished_at > now() - make_interval(secs => {REPLIES_S})
    order by u.finished_at desc limit 2000
) r
where t.status = 'active'
""")  # noqa: S608 - our own figure
_SESSIONS: Final = text("""
select c.status, count(*) as numbers
from channels c join tenants t on t.id = c.tenant_id
where c.enabled and t.status = 'active' group by c.status order by 2 desc, 1
""")
_PROCESSES: Final = text("""
select service, instance, started_at, beat_at,
       beat_at > now() - make_interval(secs => :alive_s) as alive
from process_heartbeats order by service, started_at desc limit 50
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts over all businesses now.

    ``received`` and ``sent`` are of the last five minutes, ``failed`` of the last hour; ``lag_s``
    is the age of the oldest work that nobody took; ``requests`` wait for a second admin.
    """

    active: int
    suspended: int
    closing: int
    new_in_week: int
    received: int
    sent: int
    queued: int
    in_work: int
    failing: int
    failed: int
    lag_s: float
    requests: int

    @property
    def received_per_min(self) -> float:
        """Customers' messages a minute."""
        return self.received * 60 / TRAFFIC_S

    @property
    def sent_per_min(self) -> float:
        """The assistant's messages a minute."""
        return self.sent * 60 / TRAFFIC_S


@dataclass(frozen=True, slots=True)
class ReplyTimes:
    """Replies of the last hour, from the end of the debounce on; None without any."""

    replies: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Process:
    """One process by its heartbeat."""

    service: str
    instance: str
    started_at: datetime
    beat_at: datetime
    alive: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """What an admin sees first; ``sessions`` counts numbers by WAHA's word for their state."""

    figures: Figures
    replies: ReplyTimes
    sessions: Mapping[str, int] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()


async def read(connection: AsyncConnection) -> Overview:
    """Read it all (system scope): four statements."""
    figures = (await connection.execute(_FIGURES)).one()
    replies = (await connection.execute(_REPLIES)).one()
    sessions = await connection.execute(_SESSIONS)
    processes = await connection.execute(_PROCESSES, {"alive_s": ALIVE_S})
    return Overview(
        Figures(**figures._mapping),  # noqa: SLF001
        ReplyTimes(*replies),
        {row.status: row.numbers for row in sessions},
        tuple(Process(*row) for row in processes),
    )
