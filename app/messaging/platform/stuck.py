"""Work that does not go on by itself, over all businesses: seen by admins, and set going again.

What an admin may do here is what the machine does anyway, only sooner or once more: nothing
sends a message twice, and nothing is thrown away. A turn that fails can be given to people at once.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError, NotFoundError
from app.messaging import conversations
from app.messaging.states import Disposition, HandoverReason
from app.messaging.turns.ending import silence
from tenants.service import Actor, record

ROWS_MAX = 50
_RECENT = "interval '7 days'"

_EVENTS: Final = text("""
select k.tenant_id, t.name as business, k.channel_id, encode(k.key, 'hex') as key, k.received_at,
       k.attempts, i.event, i.request_id
from inbox_keys k
join tenants t on t.id = k.tenant_id
left join inbox i on i.tenant_id = k.tenant_id and i.id = k.inbox_id
    and i.received_day between k.event_day - 1 and k.event_day + 1
where k.outcome = 'failed' order by k.received_at desc limit :rows_max
""")
_FAILING: Final = text("""
select u.tenant_id, t.name as business, u.id, u.conversation_id, u.state, u.attempts,
       u.failing_since, u.lease_until, u.lease_owner is not null as in_work, u.request_id
from turns u join tenants t on t.id = u.tenant_id
where u.state in ('claimed', 'held', 'generated', 'sending')
    and (u.failing_since is not null or u.lease_until < now() - interval '1 minute')
order by coalesce(u.failing_since, u.lease_until) limit :rows_max
""")
_FAILED: Final = text(f"""
select u.tenant_id, t.name as business, u.id, u.conversation_id, u.end_reason, u.finished_at,
       u.request_id
from turns u join tenants t on t.id = u.tenant_id
where u.state = 'failed' and u.finished_at > now() - {_RECENT}
order by u.finished_at desc limit :rows_max
""")  # noqa: S608 - our own figure
_DOUBTFUL: Final = text("""
select p.tenant_id, t.name as business, p.id, s.conversation_id, p.started_at, p.checks,
       p.checked_at, h.state as hold_state
from send_parts p
join tenants t on t.id = p.tenant_id
join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
left join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id
where p.state = 'unknown' and p.started_at > now() - interval '2 days'
order by p.started_at desc limit :rows_max
""")
_MAILS: Final = text(f"""
select m.id, t.name as business, split_part(m.key, ':', 1) as occasion, m.state, m.attempts,
       m.created_at, m.ended_at, m.next_attempt_at, m.failure
from mails m left join tenants t on t.id = m.tenant_id
where (m.state = 'failed' and m.ended_at > now() - {_RECENT})
    or (m.state = 'queued' and m.attempts > 1)
order by m.created_at desc limit :rows_max
""")  # noqa: S608 - our own figure
_STRIPE: Final = text("""
select id, kind, state, attempts, received_at, next_attempt_at, outcome
from stripe_events
where state = 'failed' or (state = 'pending' and (attempts > 1
    or next_attempt_at < now() - interval '1 minute'))
order by received_at desc limit :rows_max
""")
_REPLAY_EVENT: Final = text("""
update inbox_keys set pending = true, attempts = 0, outcome = null
where tenant_id = :tenant_id and channel_id = :channel_id and key = decode(:key, 'hex')
    and outcome = 'failed'
returning inbox_id
""")
_RETRY_TURN: Final = text("""
update turns set lease_until = now()
where tenant_id = :tenant_id and id = :id and lease_owner is null and lease_until > now()
    and state in ('claimed', 'held', 'generated', 'sending')
returning id
""")
_TURN: Final = text("""
select conversation_id from turns
where tenant_id = :tenant_id and id = :id
    and state in ('claimed', 'held', 'generated', 'sending')
""")
_LOOK_AGAIN: Final = text("""
update send_parts set checks = 0, checked_at = now() - interval '1 day'
where tenant_id = :tenant_id and id = :id and state = 'unknown'
returning id
""")


@dataclass(frozen=True, slots=True)
class Stuck:
    """Everything that does not go on, a list each; rows carry the business's name."""

    events: list[Any]
    failing: list[Any]
    failed: list[Any]
    doubtful: list[Any]
    mails: list[Any]
    stripe: list[Any]

    @property
    def count(self) -> int:
        """How many things wait for somebody; turns that ended are told, and wait for nobody."""
        lists = (self.events, self.failing, self.doubtful, self.mails, self.stripe)
        return sum(map(len, lists))


@dataclass(frozen=True, slots=True)
class EventKey:
    """Which event of the inbox; ``key`` is its hash in hex."""

    tenant_id: UUID
    channel_id: UUID
    key: str


async def read(connection: AsyncConnection) -> Stuck:
    """Read the lists (system scope): six statements, 50 rows each."""
    statements = (_EVENTS, _FAILING, _FAILED, _DOUBTFUL, _MAILS, _STRIPE)
    found = [
        list((await connection.execute(statement, {"rows_max": ROWS_MAX})).all())
        for statement in statements
    ]
    return Stuck(*found)


async def replay_event(connection: AsyncConnection, which: EventKey, actor: Actor) -> None:
    """Have an event that was given up read once more (system scope); replays change nothing twice.

    Raises:
        NotFoundError: there is no such event, or it is not given up.
    """
    values = {"tenant_id": which.tenant_id, "channel_id": which.channel_id, "key": which.key}
    inbox_id = await connection.scalar(_REPLAY_EVENT, values)
    await _noted(connection, which.tenant_id, inbox_id, "inbox.replay", actor)


async def retry_turn(
    connection: AsyncConnection, tenant_id: UUID, turn_id: UUID, actor: Actor
) -> None:
    """Let a parked turn be claimed now instead of after its pause; errors as above."""
    found = await connection.scalar(_RETRY_TURN, {"tenant_id": tenant_id, "id": turn_id})
    await _noted(connection, tenant_id, found, "turn.retry", actor)


async def hand_over(
    connection: AsyncConnection, tenant_id: UUID, turn_id: UUID, actor: Actor
) -> None:
    """Give a turn that fails to the business's people now, without waiting for its end.

    Raises:
        NotFoundError: there is no such turn, or it is over.
        ConflictError: a part of its reply is on its way and decides.
    """
    values = {"tenant_id": tenant_id, "id": turn_id}
    conversation_id = await connection.scalar(_TURN, values)
    if conversation_id is not None:
        await conversations.lock(connection, tenant_id, conversation_id)
        ended = await silence(
            connection,
            tenant_id,
            conversation_id,
            disposition=Disposition.FAILED_HANDED_OFF,
            reason="handed_over_by_admin",
        )
        if not ended:
            raise ConflictError("A part of its reply is on its way: that decides.")
        await conversations.hand_to_people(
            connection, tenant_id, conversation_id, HandoverReason.TOOL_FAILURE
        )
    await _noted(
        connection, tenant_id, turn_id if conversation_id else None, "turn.hand_over", actor
    )


async def look_again(
    connection: AsyncConnection, tenant_id: UUID, part_id: UUID, actor: Actor
) -> None:
    """Have a doubtful send looked up with WAHA again, from the beginning; errors as above."""
    found = await connection.scalar(_LOOK_AGAIN, {"tenant_id": tenant_id, "id": part_id})
    await _noted(connection, tenant_id, found, "send.look_again", actor)


async def _noted(
    connection: AsyncConnection, tenant_id: UUID, found: UUID | None, action: str, actor: Actor
) -> None:
    if found is None:
        raise NotFoundError("It is not there any more, or it goes on by itself.")
    await record(connection, tenant_id, actor, action=action, subject=str(found))
