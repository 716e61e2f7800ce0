"""Claiming due turns: fair over tenants, exclusive by lease, in one statement.

Tenants take turns by the time they were last served; within one claim a tenant of weight 2
gets two turns for another's one, and never more than its ``max_inflight`` at once. The
tenant's queue row is locked for the claim, so that two workers cannot exceed it together;
a tenant whose row is taken is simply left to the worker that has it.

A turn whose lease ran out is claimed again in the state it was left in, with a new epoch.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from app.core.db.engine import Database
from app.core.faults import fault_point
from app.messaging.turns.model import ClaimedTurn

# The limits of 64 are written out: numbers that the planner reads, so that it never prepares for
# more rows than come.
_CLAIM = text(
    """
    -- The first turn of each tenant that has any, tenant by tenant along the index: neither who
    -- has no turns costs anything, nor how many wait behind the first.
    with recursive waiting as (
        (select tenant_id, due_at from turns where state in ('waiting', 'due')
         order by tenant_id, due_at limit 1)
        union all
        select n.tenant_id, n.due_at from waiting w cross join lateral (
            select tenant_id, due_at from turns
            where state in ('waiting', 'due') and tenant_id > w.tenant_id
            order by tenant_id, due_at limit 1) n
    ), leased as (
        (select tenant_id, lease_until from turns
         where state in ('claimed', 'held', 'generated', 'sending')
         order by tenant_id, lease_until limit 1)
        union all
        select n.tenant_id, n.lease_until from leased l cross join lateral (
            select tenant_id, lease_until from turns
            where state in ('claimed', 'held', 'generated', 'sending') and tenant_id > l.tenant_id
            order by tenant_id, lease_until limit 1) n
    ), tenant as (
        select q.tenant_id, q.served_at, q.blocked_until, p.weight, p.turn_per_min, p.turn_burst,
               p.send_per_min, p.send_burst, p.max_inflight - busy.turns as room
        from (
            select tenant_id, served_at from tenant_queues
            where tenant_id in (select tenant_id from waiting where due_at <= now())
              and (blocked_until is null or blocked_until <= now())
               or tenant_id in (select tenant_id from leased where lease_until < now())
            order by served_at
        ) seen
        cross join lateral (
            select c.* from tenants t join plans c on c.code = t.plan_code
            where t.id = seen.tenant_id limit 1) p
        cross join lateral (
            select count(*) as turns from turns
            where tenant_id = seen.tenant_id
              and state in ('claimed', 'held', 'generated', 'sending')
              and lease_owner is not null and lease_until >= now()) busy
        cross join lateral (
            select tenant_id, served_at, blocked_until from tenant_queues
            -- Served by another worker since this statement began: its turns are not in our
            -- snapshot, so counting the room would give it away twice. Left to the next claim.
            where tenant_id = seen.tenant_id and served_at = seen.served_at
              -- Tenants without room must not fill the list and hide those that have some.
              and p.max_inflight > busy.turns
            for update skip locked) q
        order by seen.served_at limit 64
    ), share as (
        -- Counted before anything is locked: of a backlog only what is claimed is touched.
        select tenant_id, count(*) as places from (
            select r.tenant_id from tenant r cross join lateral (
                select row_number() over () as place from (
                    (select from turns
                     where tenant_id = r.tenant_id
                       and state in ('claimed', 'held', 'generated', 'sending')
                       and lease_until < now()
                     limit least(r.room, :turns_max))
                    union all
                    (select from turns
                     where tenant_id = r.tenant_id and state in ('waiting', 'due')
                       and due_at <= now()
                       and (r.blocked_until is null or r.blocked_until <= now())
                     limit least(r.room, :turns_max))
                ) ready limit least(r.room, :turns_max)
            ) placed
            order by place / weight::float8, served_at limit :turns_max
        ) fair group by tenant_id
    ), candidate as (
        select s.tenant_id, s.places, x.id, 0 as rank, x.lease_until as at
        from share s cross join lateral (
            select id, lease_until from turns
            where tenant_id = s.tenant_id
              and state in ('claimed', 'held', 'generated', 'sending') and lease_until < now()
            order by lease_until limit s.places
            for update skip locked) x
        union all
        select s.tenant_id, s.places, w.id, 1, w.due_at
        from share s join tenant r on r.tenant_id = s.tenant_id cross join lateral (
            select id, due_at from turns
            where tenant_id = s.tenant_id and state in ('waiting', 'due') and due_at <= now()
              and (r.blocked_until is null or r.blocked_until <= now())
            order by due_at limit s.places
            for update skip locked) w
    ), chosen as (
        select c.tenant_id, c.id, r.turn_per_min, r.turn_burst, r.send_per_min, r.send_burst
        from (
            select *, row_number() over (partition by tenant_id order by rank, at) as place
            from candidate
        ) c join tenant r on r.tenant_id = c.tenant_id
        where c.place <= c.places limit 64
    ), served as (
        update tenant_queues q set served_at = clock_timestamp()
        from (select distinct tenant_id from chosen) s
        where q.tenant_id = s.tenant_id
    )
    update turns t
    set state = case when t.state in ('waiting', 'due') then 'claimed' else t.state end,
        lease_owner = :owner,
        lease_until = now() + make_interval(secs => :lease_s),
        lease_epoch = t.lease_epoch + 1,
        attempts = least(t.attempts + 1, 32000),
        claimed_at = coalesce(t.claimed_at, now())
    from chosen c
    where t.tenant_id = c.tenant_id and t.id = c.id
    returning t.tenant_id, t.id, t.conversation_id, t.channel_id, t.state,
              t.lease_epoch as epoch, t.attempts, t.request_id,
              extract(epoch from now() - t.failing_since)::float8 as failing_s,
              c.turn_per_min, c.turn_burst, c.send_per_min, c.send_burst
    """
)
# Each by its key, in the order of keys. A join would go by who owns a lease, which statistics
# know nothing of: it compared every turn with every other.
_OURS = """
    with ours as (
        select t.tenant_id, t.id
        from (
            select * from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]),
                                 cast(:epochs as int[])) as given(tenant_id, id, epoch)
            order by tenant_id, id
        ) h
        cross join lateral (
            select tenant_id, id from turns
            where tenant_id = h.tenant_id and id = h.id and lease_epoch = h.epoch
              and lease_owner = :owner
            for no key update) t
    )
"""
_RENEW = text(
    f"""
    {_OURS}
    update turns t set lease_until = now() + make_interval(secs => :lease_s)
    from ours o where t.tenant_id = o.tenant_id and t.id = o.id
    returning t.id
    """  # noqa: S608 - our own words
)
_RELEASE = text(
    f"""
    {_OURS}
    update turns t
    set lease_owner = null, lease_until = now(),
        state = case when t.state = 'claimed' then 'due' else t.state end
    from ours o where t.tenant_id = o.tenant_id and t.id = o.id
    """  # noqa: S608
)


async def claim(
    database: Database, *, owner: str, lease_s: float, turns_max: int
) -> list[ClaimedTurn]:
    """Lease up to ``turns_max`` due turns (64 at most), tenants in fair order."""
    async with database.system() as connection:
        rows = await connection.execute(
            _CLAIM,
            {
                "owner": owner,
                "lease_s": lease_s,
                "turns_max": turns_max,
            },
        )
        claimed = [ClaimedTurn(**row._mapping) for row in rows]  # noqa: SLF001
        if claimed:
            fault_point("claim.before_commit")
    if claimed:
        fault_point("claim.after_commit")
    return claimed


async def renew(
    database: Database, turns: Sequence[ClaimedTurn], *, owner: str, lease_s: float
) -> set[UUID]:
    """Extend the leases that are still ours; return their turns' ids."""
    async with database.system() as connection:
        values = {**_arrays(turns), "owner": owner, "lease_s": lease_s}
        return set((await connection.execute(_RENEW, values)).scalars())


async def release(database: Database, turns: Sequence[ClaimedTurn], *, owner: str) -> None:
    """Give leases back at a stop, so that another worker claims within a second."""
    if turns:
        async with database.system() as connection:
            await connection.execute(_RELEASE, {**_arrays(turns), "owner": owner})


def _arrays(turns: Sequence[ClaimedTurn]) -> dict[str, list[object]]:
    return {
        "tenants": [t.tenant_id for t in turns],
        "ids": [t.id for t in turns],
        "epochs": [t.epoch for t in turns],
    }
