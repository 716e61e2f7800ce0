"""What ends by time: takeovers, snoozes and pauses of conversations.

The customer's next message would find a takeover or a pause that is over without this; here the
inbox learns of it, and of a snooze that nobody writes into.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.messaging.media.catching_up import read_missed

_BATCH_MAX = 500

# A snooze wakes for people; a takeover's end gives the conversation to the assistant.
_WAKE = text(
    """
    with ripe as (
        select tenant_id, id from conversations
        where state <> 'resolved'
          and (human_until is not null or snoozed_until is not null or paused_until is not null)
          and (human_until <= now() or snoozed_until <= now() or paused_until <= now())
        order by tenant_id, id limit :batch_max for no key update skip locked
    ), judged as (
        select c.tenant_id, c.id,
               coalesce(c.snoozed_until <= now(), false) as woken,
               coalesce(c.human_until <= now() and c.state in ('open', 'snoozed'), false) as back
        from ripe r join conversations c on c.tenant_id = r.tenant_id and c.id = r.id
    )
    update conversations c
    set state = case when j.back then 'pending' when j.woken then 'open' else c.state end,
        handover_reason = case when j.back then null else c.handover_reason end,
        handover_summary = case when j.back then null else c.handover_summary end,
        handed_over_at = case when j.back then null else c.handed_over_at end,
        notify_at = case when j.back then null else c.notify_at end,
        assignee_id = case when j.back then null else c.assignee_id end,
        human_until = case when c.human_until <= now() then null else c.human_until end,
        snoozed_until = case when j.woken or j.back then null else c.snoozed_until end,
        paused_until = case when c.paused_until <= now() then null else c.paused_until end
    from judged j where c.tenant_id = j.tenant_id and c.id = j.id
    returning c.tenant_id, c.id, c.state = 'pending' as assistants
    """
)


async def wake_conversations(connection: AsyncConnection) -> int:
    """End what has run out of time, in every business; return how many conversations changed."""
    woken = (await connection.execute(_WAKE, {"batch_max": _BATCH_MAX})).all()
    await read_missed(connection, [(row.tenant_id, row.id) for row in woken if row.assistants])
    return len(woken)
