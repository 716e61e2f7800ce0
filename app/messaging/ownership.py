"""Who owns a conversation, changed by the people who answer: take over, give back, and the rest.

| wish | state | reason | what the customer wrote and nobody answered yet |
|---|---|---|---|
| take over, snooze | ``open``, ``snoozed`` | ``human_takeover`` | ``human_owned`` |
| pause | as it was | as it was | ``paused`` |
| resolve | ``resolved`` | as it was | ``human_owned`` |
| reopen | ``open`` | ``human_takeover`` | – |
| give back | ``pending`` | none | answered, when it is young and stands last |

Each locks the conversation first, so that it comes before or after a step of a turn, never
between: a turn that has not begun to send is cancelled in the same commit and its hold is
released. Of a reply of which a part is on its way, the rest is sent only where people resolve.
Each is safe to repeat. A person
who gives a conversation back wants the customer's open question answered; what was written
longer ago than the business answers at all, or before somebody's answer, keeps its disposition.
Its voice notes, pictures and documents are read before the assistant goes on.
Takeovers, snoozes and pauses that end by time answer nothing of the past: nobody asked for it.

Resolving is the border of the assistant's memory: the customer's next message opens a new
conversation. Which people may do this is asked before (``tenants.access``), these functions take
a transaction in the tenant's scope.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Timings
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.messaging.media.catching_up import read_missed
from app.messaging.states import ConversationState, Disposition
from app.messaging.turns.ending import silence
from app.messaging.turns.opening import adopt, tell_dispatcher

_USUAL = Timings()
FOR_S_MAX = 90 * 24 * 3600
"""The longest takeover, pause or snooze."""

_LOCK = text(
    """
    select c.state, t.answer_max_age_s
    from conversations c join tenants t on t.id = c.tenant_id
    where c.tenant_id = :tenant_id and c.id = :id for no key update of c
    """
)
# Somebody who acts for a business without belonging to it is nobody's colleague there.
_MEMBER = "(select user_id from memberships where tenant_id = :tenant_id and user_id = :user_id)"
_TAKE_OVER = text(
    f"""
    update conversations set state = 'open', handover_reason = 'human_takeover',
        human_until = now() + make_interval(secs => :for_s), snoozed_until = null,
        assignee_id = coalesce({_MEMBER}, assignee_id), notify_at = null,
        handed_over_at = coalesce(handed_over_at, now())
    where tenant_id = :tenant_id and id = :id
    """  # noqa: S608 - a subquery of ours
)
_GIVE_BACK = text(
    """
    update conversations set state = 'pending', handover_reason = null, handover_summary = null,
        human_until = null, snoozed_until = null, paused_until = null, assignee_id = null,
        handed_over_at = null, notify_at = null
    where tenant_id = :tenant_id and id = :id
    """
)
# Newer than anything that was answered to the customer, by whomever.
_REVIVE = text(
    """
    update messages m set disposition = null, disposition_at = null, turn_id = null
    where m.tenant_id = :tenant_id and m.conversation_id = :id and m.direction = 'in'
      and m.disposition in ('human_owned', 'paused') and m.revoked_at is null
      and m.sent_at > now() - make_interval(secs => :answer_max_age_s)
      and m.sent_at > coalesce((
          select max(o.sent_at) from messages o where o.tenant_id = m.tenant_id
            and o.conversation_id = m.conversation_id and o.direction = 'out'), '-infinity')
    """
)
_PAUSE = text(
    """
    update conversations set paused_until = now() + make_interval(secs => :for_s)
    where tenant_id = :tenant_id and id = :id
    """
)
_SNOOZE = text(
    f"""
    update conversations set state = 'snoozed',
        snoozed_until = now() + make_interval(secs => :for_s),
        handover_reason = coalesce(handover_reason, 'human_takeover'), human_until = null,
        assignee_id = coalesce(assignee_id, {_MEMBER}), notify_at = null,
        handed_over_at = coalesce(handed_over_at, now())
    where tenant_id = :tenant_id and id = :id
    """  # noqa: S608
)
_RESOLVE = text(
    f"""
    update conversations set state = 'resolved', resolved_at = now(), human_until = null,
        snoozed_until = null, paused_until = null, notify_at = null,
        assignee_id = coalesce(assignee_id, {_MEMBER})
    where tenant_id = :tenant_id and id = :id
    """  # noqa: S608
)
_REOPEN = text(
    f"""
    update conversations set state = 'open', resolved_at = null, human_until = null,
        handover_reason = 'human_takeover', handed_over_at = now(),
        assignee_id = coalesce({_MEMBER}, assignee_id)
    where tenant_id = :tenant_id and id = :id
    """  # noqa: S608
)
_ASSIGN = text(
    "update conversations set assignee_id = :assignee where tenant_id = :tenant_id and id = :id"
)
_IS_MEMBER = text("select 1 from memberships where tenant_id = :tenant_id and user_id = :user_id")


async def take_over(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    user_id: UUID,
    *,
    for_s: int | None,
) -> None:
    """Have a person answer from now on, for ``for_s`` seconds or (None) until it is given back.

    Raises:
        NotFoundError: there is no such conversation here.
        ConflictError: it is resolved; reopen it first.
    """
    await _lock_open(connection, tenant_id, conversation_id)
    values = {"user_id": user_id, "for_s": None if for_s is None else _seconds(for_s)}
    await connection.execute(_TAKE_OVER, {**_key(tenant_id, conversation_id), **values})
    await _silence(connection, tenant_id, conversation_id)


async def give_back(
    connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID, user_id: UUID
) -> None:
    """Let the assistant answer again, beginning with what the customer wrote last.

    Raises:
        NotFoundError: there is no such conversation here.
        ConflictError: it is resolved.
    """
    del user_id  # for the one shape that all of these have
    row = await _lock_open(connection, tenant_id, conversation_id)
    key = _key(tenant_id, conversation_id)
    await connection.execute(_GIVE_BACK, key)
    young_s = _USUAL.answer_max_age_s if row.answer_max_age_s is None else row.answer_max_age_s
    await connection.execute(_REVIVE, {**key, "answer_max_age_s": young_s})
    await read_missed(connection, [(tenant_id, conversation_id)])
    await adopt(
        connection,
        tenant_id,
        conversation_id,
        idle_s=_USUAL.idle_s,
        cap_s=_USUAL.cap_s,
        media_wait_s=_USUAL.media_wait_s,
    )
    await tell_dispatcher(connection)


async def pause(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    user_id: UUID,
    *,
    for_s: int,
) -> None:
    """Keep the assistant silent for ``for_s`` seconds without taking the conversation over.

    Raises:
        NotFoundError: there is no such conversation here.
        ConflictError: it is resolved.
    """
    del user_id
    await _lock_open(connection, tenant_id, conversation_id)
    values = {**_key(tenant_id, conversation_id), "for_s": _seconds(for_s)}
    await connection.execute(_PAUSE, values)
    await silence(
        connection, tenant_id, conversation_id, disposition=Disposition.PAUSED, reason="paused"
    )


async def snooze(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    user_id: UUID,
    *,
    for_s: int,
) -> None:
    """Put a conversation of people aside until a time, or until the customer writes.

    Raises:
        NotFoundError: there is no such conversation here.
        ConflictError: it is resolved.
    """
    await _lock_open(connection, tenant_id, conversation_id)
    values = {"user_id": user_id, "for_s": _seconds(for_s)}
    await connection.execute(_SNOOZE, {**_key(tenant_id, conversation_id), **values})
    await _silence(connection, tenant_id, conversation_id)


async def resolve(
    connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID, user_id: UUID
) -> None:
    """End a conversation: what the customer writes next begins a new one.

    Raises:
        NotFoundError: there is no such conversation here.
    """
    row = await _lock(connection, tenant_id, conversation_id)
    if row.state == ConversationState.RESOLVED:
        return
    values = {**_key(tenant_id, conversation_id), "user_id": user_id}
    await connection.execute(_RESOLVE, values)
    await _silence(connection, tenant_id, conversation_id)


async def reopen(
    connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID, user_id: UUID
) -> None:
    """Open a resolved conversation again, for people; one that is open stays as it is.

    Raises:
        NotFoundError: there is no such conversation here.
        ConflictError: the customer has begun a new one meanwhile.
    """
    row = await _lock(connection, tenant_id, conversation_id)
    if row.state != ConversationState.RESOLVED:
        return
    values = {**_key(tenant_id, conversation_id), "user_id": user_id}
    try:
        async with connection.begin_nested():
            await connection.execute(_REOPEN, values)
    except IntegrityError as error:
        raise ConflictError(
            "This customer has a newer conversation that is open. Go on there."
        ) from error


async def assign(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    user_id: UUID,
    *,
    assignee: UUID | None,
) -> None:
    """Say whose conversation it is among the people; who answers does not change by it.

    Raises:
        NotFoundError: there is no such conversation here, or no such member of the team.
    """
    del user_id
    await _lock(connection, tenant_id, conversation_id)
    if assignee is not None:
        member = {"tenant_id": tenant_id, "user_id": assignee}
        if not await connection.scalar(_IS_MEMBER, member):
            raise NotFoundError("There is no such person in your team.")
    await connection.execute(_ASSIGN, {**_key(tenant_id, conversation_id), "assignee": assignee})


async def _silence(connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID) -> None:
    await silence(
        connection,
        tenant_id,
        conversation_id,
        disposition=Disposition.HUMAN_OWNED,
        reason="human_takeover",
    )


async def _lock(connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID) -> Any:
    row = (await connection.execute(_LOCK, _key(tenant_id, conversation_id))).one_or_none()
    if row is None:
        raise NotFoundError("There is no such conversation.")
    return row


async def _lock_open(connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID) -> Any:
    row = await _lock(connection, tenant_id, conversation_id)
    if row.state == ConversationState.RESOLVED:
        raise ConflictError("This conversation is resolved. Reopen it first.")
    return row


def _seconds(for_s: int) -> float:
    if not 0 < for_s <= FOR_S_MAX:
        raise RefusedError("Choose a time from one second to 90 days.")
    return float(for_s)


def _key(tenant_id: UUID, conversation_id: UUID) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "id": conversation_id}
