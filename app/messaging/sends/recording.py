"""What is committed around the call of WAHA: the attempt before it, the acceptance after it.

Each is one transaction for the parts of a tenant that stand at the same point. Rows are
locked in the order conversations → parts → turns → wallet, each kind in the order of ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.messaging import conversations
from app.messaging.sends.settling import Acceptance, Refusal, accept_parts, fail_part
from app.messaging.states import Disposition, HandoverReason, PartState, TurnState
from app.messaging.turns.batches import BUSY, Outcome
from app.messaging.turns.ending import Ending, end_turns
from app.messaging.turns.model import ClaimedTurn, Engine, Lease, LeaseLostError
from app.messaging.turns.queries import STOP

# An attempt, its part and its turn change together, and only for the holder of the lease. Of a
# part that people overtook, or whose answer must not go out any more, nothing changes but its
# locks: its turn ends behind this.
_ATTEMPT = text(
    f"""
    with told as (
        select p.id as part_id, r.turn_id, r.epoch, r.idempotent, r.answers, r.overtaken
        from jsonb_to_recordset(cast(:rows as jsonb))
            as r(turn_id uuid, epoch int, part_id uuid, idempotent boolean, answers boolean,
                 overtaken boolean)
        join send_parts p on p.tenant_id = :tenant_id and p.id = r.part_id
         and p.state in ('queued', 'sending')
        order by p.id for no key update of p
    ), wanted as (
        select r.*, case when r.overtaken then 'human_owned'
                         when r.answers then coalesce(
                             {STOP}, case when c.paused_until > now() then 'paused' end)
                         end as stop
        from told r
        join turns t on t.tenant_id = :tenant_id and t.id = r.turn_id
         and t.lease_epoch = r.epoch and t.lease_owner = :owner
         and t.state in ('generated', 'sending')
        join tenants b on b.id = t.tenant_id
        join conversations c on c.tenant_id = t.tenant_id and c.id = t.conversation_id
        join contacts p on p.tenant_id = c.tenant_id and p.id = c.contact_id
        left join tenant_conduct k on k.tenant_id = t.tenant_id
        order by t.id for no key update of t
    ), turn as (
        update turns t
        set state = 'sending', lease_until = now() + make_interval(secs => :lease_s)
        from wanted w
        where t.tenant_id = :tenant_id and t.id = w.turn_id and w.stop is null
    ), part as (
        update send_parts p
        set state = 'sending', started_at = coalesce(p.started_at, now()),
            attempts = p.attempts + 1, idempotent = w.idempotent
        from wanted w
        where p.tenant_id = :tenant_id and p.id = w.part_id and w.stop is null
        returning p.id, p.attempts
    ), attempt as (
        insert into send_attempts (tenant_id, id, part_id, attempt_no)
        select :tenant_id, gen_random_uuid(), id, attempts from part
    )
    select w.turn_id, w.epoch, w.stop, coalesce(p.attempts, 0) as attempt_no
    from wanted w left join part p on p.id = w.part_id
    """  # noqa: S608 - a case of ours
)

_TAKE_BACK = text(
    """
    with part as (
        update send_parts set state = 'queued', started_at = null, error = :error
        where tenant_id = :tenant_id and id = :part_id and state = 'sending' and wa_id is null
          and attempts = :attempt_no
        returning id, attempts
    )
    update send_attempts a set finished_at = now(), outcome = 'not_sent', status_code = :status
    from part p where a.tenant_id = :tenant_id and a.part_id = p.id and a.attempt_no = p.attempts
    """
)


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A part about to be sent; ``idempotent`` when WAHA honours our id for it."""

    turn: ClaimedTurn
    part: Any
    idempotent: bool


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A part that WAHA took: its bare WhatsApp id where known, and how we know."""

    part: Any
    wa_id: str | None
    resolved_by: str


async def record_attempt(engine: Engine, turn: ClaimedTurn, part: Any, *, idempotent: bool) -> int:
    """Commit the attempt before the call; its number, 0 when people or a rule stopped the reply.

    Raises:
        LeaseLostError: another worker has the turn, or it ended.
    """
    attempt = _Attempt(turn, part, idempotent)
    number = await engine.batches.join(_attempt_all, engine, turn.tenant_id, attempt)
    fault_point("send.after_attempt_commit")
    return number


async def _attempt_all(
    engine: Engine, tenant_id: UUID, attempts: Sequence[_Attempt]
) -> Sequence[Outcome[int]]:
    async with engine.database.tenant(tenant_id) as connection:
        owners = await conversations.lock_free(
            connection, tenant_id, [a.part.conversation_id for a in attempts]
        )
        free = {
            each: owner.taken_over and each.part.state == PartState.QUEUED
            for each in attempts
            if (owner := owners.get(each.part.conversation_id)) is not None
        }
        begun = await _begin(engine, connection, tenant_id, free)
        stopped = [(each, row) for each in free if (row := begun.get(each.turn.lease)) and row.stop]
        await _stop(engine, connection, tenant_id, stopped)
        fault_point("send.before_attempt_commit")
    numbers = {lease: row.attempt_no for lease, row in begun.items()}
    return [numbers.get(a.turn.lease, LeaseLostError()) if a in free else BUSY for a in attempts]


async def _stop(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    stopped: Sequence[tuple[_Attempt, Any]],
) -> None:
    """End what must not go on: as if never answered, or with the parts that the customer has."""
    whole = [_stopped(row) for each, row in stopped if _is_first(each.part)]
    await end_turns(connection, engine.settings, tenant_id, whole)
    for each, row in stopped:
        if not _is_first(each.part):
            reason = _stopped(row).reason or ""
            refusal = Refusal(each.part.id, each.part.attempts, reason)
            await fail_part(connection, engine.settings, tenant_id, refusal, status_code=None)


def _stopped(row: Any) -> Ending:
    people = row.stop == Disposition.HUMAN_OWNED
    reason = HandoverReason.HUMAN_TAKEOVER.value if people else row.stop
    return Ending(row.turn_id, TurnState.CANCELLED, Disposition(row.stop), reason)


def _is_first(part: Any) -> bool:
    return bool(part.part_no == 1 and part.state == PartState.QUEUED)


async def _begin(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    attempts: Mapping[_Attempt, bool],
) -> dict[Lease, Any]:
    """Record attempts under the leases' epochs; return what came of those of leases still ours.

    Those with True were overtaken by people. Where there is a ``stop`` only rows were locked.
    """
    if not attempts:
        return {}
    timings = engine.settings.timings
    rows = as_rows(
        {
            "turn_id": a.turn.id,
            "epoch": a.turn.epoch,
            "part_id": a.part.id,
            "idempotent": a.idempotent,
            "answers": a.part.state == PartState.QUEUED and a.part.hold_id is not None,
            "overtaken": overtaken,
        }
        for a, overtaken in attempts.items()
    )
    values = {
        "tenant_id": tenant_id,
        "owner": engine.owner,
        "rows": rows,
        "lease_s": max(timings.lease_s, timings.send_timeout_s + 5),
    }
    begun = await connection.execute(_ATTEMPT, values)
    return {(row.turn_id, row.epoch): row for row in begun}


async def take_back(
    engine: Engine, tenant_id: UUID, part_id: UUID, attempt_no: int, error: ProviderError
) -> None:
    """Undo an attempt that surely sent nothing, unless another was made since."""
    values = {
        "tenant_id": tenant_id,
        "part_id": part_id,
        "attempt_no": attempt_no,
        "error": f"status_{error.status_code or 0}",
        "status": error.status_code,
    }
    async with engine.database.tenant(tenant_id) as connection:
        await connection.execute(_TAKE_BACK, values)


async def record_acceptance(
    engine: Engine, turn: ClaimedTurn, part: Any, wa_id: str | None, by: str
) -> bool:
    """Record an acceptance. It is a fact, so it counts even when the lease was lost."""
    accepted = _Accepted(part, wa_id, by)
    done = await engine.batches.join(_accept_all, engine, turn.tenant_id, accepted)
    fault_point("settle.after_commit")
    return done


async def _accept_all(
    engine: Engine, tenant_id: UUID, accepted: Sequence[_Accepted]
) -> Sequence[Outcome[bool]]:
    async with engine.database.tenant(tenant_id) as connection:
        owners = await conversations.lock_free(
            connection, tenant_id, [a.part.conversation_id for a in accepted]
        )
        free = [a for a in accepted if a.part.conversation_id in owners]
        if free:
            told = [Acceptance(a.part.id, a.wa_id, a.resolved_by) for a in free]
            await accept_parts(connection, engine.settings, tenant_id, told)
        fault_point("settle.before_commit")
    return [True if a.part.conversation_id in owners else BUSY for a in accepted]
