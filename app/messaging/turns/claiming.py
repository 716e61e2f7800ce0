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

_TENANTS_PER_CLAIM = 64

_CLAIM = text(
    """
    with tenant as (
        select q.tenant_id, q.served_at, q.blocked_until, p.weight, p.max_inflight,
               p.turn_per_min, p.turn_burst, p.send_per_min, p.send_burst
        from tenant_queues q
        join tenant_queues seen on seen.tenant_id = q.tenant_id
        join tenants t on t.id = q.tenant_id
        join plans p on p.code = t.plan_code
        -- The first in order, not EXISTS: beside a large backlog the planner takes any turn for
        -- due, and reads the whole table for each tenant that has none.
        where (((q.blocked_until is null or q.blocked_until <= now())
                and (select w.due_at from turns w
                     where w.tenant_id = q.tenant_id and w.state in ('waiting', 'due')
                     order by w.due_at limit 1) <= now())
            or (select x.lease_until from turns x
                where x.tenant_id = q.tenant_id
                  and x.state in ('claimed', 'held', 'generated', 'sending')
                order by x.lease_until limit 1) < now())
          -- Tenants without room must not fill the list and hide those that have some.
          and p.max_inflight > (
              select count(*) from turns l
              where l.tenant_id = q.tenant_id
                and l.state in ('claimed', 'held', 'generated', 'sending')
                and l.lease_owner is not null and l.lease_until >= now())
          -- Served by another worker since this statement began: its turns are not in our
          -- snapshot, so counting the room would give it away twice. Left to the next claim.
          and q.served_at = seen.served_at
        order by q.served_at
        limit :tenants_max
        for update of q skip locked
    ), roomy as (
        select t.*, t.max_inflight - (
            select count(*) from turns l
            where l.tenant_id = t.tenant_id
              and l.state in ('claimed', 'held', 'generated', 'sending')
              and l.lease_owner is not null and l.lease_until >= now()) as room
        from tenant t
    ), candidate as (
        select r.tenant_id, x.id, 0 as rank, x.lease_until as at
        from roomy r cross join lateral (
            select id, lease_until from turns
            where tenant_id = r.tenant_id
              and state in ('claimed', 'held', 'generated', 'sending') and lease_until < now()
            order by lease_until limit greatest(least(r.room, :turns_max), 0)
            for update skip locked) x
        union all
        select r.tenant_id, w.id, 1, w.due_at
        from roomy r cross join lateral (
            select id, due_at from turns
            where tenant_id = r.tenant_id and state in ('waiting', 'due') and due_at <= now()
              and (r.blocked_until is null or r.blocked_until <= now())
            order by due_at limit greatest(least(r.room, :turns_max), 0)
            for update skip locked) w
    ), placed as (
        select c.tenant_id, c.id, r.turn_per_min, r.turn_burst, r.send_per_min, r.send_burst,
               r.served_at, r.room, r.weight,
               row_number() over (partition by c.tenant_id order by c.rank, c.at) as place
        from candidate c join roomy r on r.tenant_id = c.tenant_id
    ), chosen as (
        select * from placed where place <= room
        order by place / weight::float8, served_at limit :turns_max
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
_RENEW = text(
    """
    with held as (
        select t.tenant_id, t.id
        from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:epochs as int[]))
            as h(tenant_id, id, epoch)
        join turns t on t.tenant_id = h.tenant_id and t.id = h.id and t.lease_epoch = h.epoch
        where t.lease_owner = :owner
        order by t.tenant_id, t.id for no key update of t
    )
    update turns t set lease_until = now() + make_interval(secs => :lease_s)
    from held h where t.tenant_id = h.tenant_id and t.id = h.id
    returning t.id
    """
)
_RELEASE = text(
    """
    update turns t
    set lease_owner = null, lease_until = now(),
        state = case when t.state = 'claimed' then 'due' else t.state end
    from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:epochs as int[]))
        as h(tenant_id, id, epoch)
    where t.tenant_id = h.tenant_id and t.id = h.id and t.lease_epoch = h.epoch
      and t.lease_owner = :owner
    """
)


async def claim(
    database: Database, *, owner: str, lease_s: float, turns_max: int
) -> list[ClaimedTurn]:
    """Lease up to ``turns_max`` due turns, tenants in fair order."""
    async with database.system() as connection:
        rows = await connection.execute(
            _CLAIM,
            {
                "owner": owner,
                "lease_s": lease_s,
                "turns_max": turns_max,
                "tenants_max": _TENANTS_PER_CLAIM,
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
