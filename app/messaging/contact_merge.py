"""Merging two contacts that turned out to be one person, without losing or doubling a thread.

Where both have an open conversation on a number, the messages move into the kept one. A turn
of the other that has not begun to send ends as superseded (what it had queued is dropped) and
its unanswered messages wait for the kept conversation's next turn; one that is sending goes on to
its end. People who own either conversation own the joined one for as long as they wanted the
longer of both, and so with pauses.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Timings
from app.messaging.turns.ending import drop_queued
from app.messaging.turns.opening import adopt
from billing.ledger.schemas import CloseRequest

_LOCK = text("select pg_advisory_xact_lock(1885434732, hashtext(:tenant))")
_PAIRS = text(
    """
    select g.id as gone_id, k.id as kept_id,
           g.state in ('open', 'snoozed') and coalesce(g.human_until > now(), true) as people_own,
           g.paused_until, g.handover_reason, g.handover_summary, g.human_until,
           g.snoozed_until, g.assignee_id, g.handed_over_at, g.notify_at, g.state
    from conversations g join conversations k
      on k.tenant_id = g.tenant_id and k.channel_id = g.channel_id
    where g.tenant_id = :tenant and g.contact_id = :gone and k.contact_id = :kept
      and g.state <> 'resolved' and k.state <> 'resolved'
    order by least(g.id, k.id) for update of g, k
    """
)
_SUPERSEDE = text(
    """
    update turns t set state = 'superseded', end_reason = 'contacts_merged', finished_at = now(),
        lease_owner = null, lease_until = null, lease_epoch = lease_epoch + 1
    where t.tenant_id = :tenant and t.conversation_id = :gone_id
      and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')
      and not exists (
          select 1 from sends s join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
          where s.tenant_id = t.tenant_id and s.turn_id = t.id and p.state <> 'queued')
    returning id, hold_id, request_id
    """
)
_MOVE_MESSAGES = text(
    """
    update messages m set conversation_id = :kept_id,
        turn_id = case
            when m.direction = 'in' and m.disposition is null and not exists (
                select 1 from turns t where t.tenant_id = m.tenant_id and t.id = m.turn_id
                  and t.state = 'sending')
            then null else m.turn_id end
    where m.tenant_id = :tenant and m.conversation_id = :gone_id
    """
)
# Whose takeover is over, or who only waits for credits, does not own it; else the longer stays.
_KEEP_OWNER = text(
    """
    update conversations
    set state = :state, handover_reason = :reason, handover_summary = :summary,
        human_until = :until, snoozed_until = :snoozed_until, assignee_id = :assignee_id,
        handed_over_at = :handed_over_at, notify_at = :notify_at
    where tenant_id = :tenant and id = :kept_id
      and (state = 'pending' or human_until <= now()
           or (cast(:reason as text) is distinct from 'no_credit'
               and (handover_reason = 'no_credit'
                    or human_until < coalesce(cast(:until as timestamptz), 'infinity'))))
    """
)
_KEEP_PAUSE = text(
    """
    update conversations set paused_until = greatest(paused_until, cast(:until as timestamptz))
    where tenant_id = :tenant and id = :kept_id
    """
)
# What the team wrote beside the one stands beside the other; what it wrote to the customer and
# waits to be sent keeps its place among what it writes there.
_MOVE_WORDS = (
    text(
        """
        update desk_sends set conversation_id = :kept_id
        where tenant_id = :tenant and conversation_id = :gone_id and open
        """
    ),
    text(
        """
        update conversation_notes set conversation_id = :kept_id
        where tenant_id = :tenant and conversation_id = :gone_id
        """
    ),
    text(
        """
        insert into conversation_labels (tenant_id, conversation_id, label_id)
        select tenant_id, :kept_id, label_id from conversation_labels
        where tenant_id = :tenant and conversation_id = :gone_id on conflict do nothing
        """
    ),
)
_RESOLVE = text(
    """
    update conversations
    set state = 'resolved', resolved_at = now(), human_until = null, snoozed_until = null,
        paused_until = null, notify_at = null
    where tenant_id = :tenant and id = :gone_id
    """
)
_MOVE_OTHERS = tuple(
    text(f"update {table} set contact_id = :kept where tenant_id = :tenant and contact_id = :gone")  # noqa: S608 - two names of ours
    for table in ("conversations", "contact_addresses")
)
# A block or an opt-out is a person's, whichever address it was made under.
_KEEP_WISHES = text(
    """
    update contacts k
    set blocked_at = coalesce(k.blocked_at, g.blocked_at),
        opted_out_at = coalesce(k.opted_out_at, g.opted_out_at),
        name = coalesce(k.name, g.name), push_name = coalesce(k.push_name, g.push_name),
        notes = nullif(concat_ws(E'\n', k.notes, g.notes), ''),
        imported_at = coalesce(k.imported_at, g.imported_at),
        campaign_id = coalesce(k.campaign_id, g.campaign_id)
    from contacts g
    where k.tenant_id = :tenant and k.id = :kept and g.tenant_id = :tenant and g.id = :gone
    """
)
_MOVE_KNOWN = (
    text(
        """
        insert into contact_tags (tenant_id, contact_id, tag)
        select tenant_id, :kept, tag from contact_tags
        where tenant_id = :tenant and contact_id = :gone on conflict do nothing
        """
    ),
    text("delete from contact_tags where tenant_id = :tenant and contact_id = :gone"),
    # What is remembered of the one is of the other; of two values the kept one's stays.
    text(
        """
        update contact_facts g set contact_id = :kept
        where g.tenant_id = :tenant and g.contact_id = :gone and not exists (
            select 1 from contact_facts k where k.tenant_id = :tenant and k.contact_id = :kept
              and k.key = g.key)
        """
    ),
    text("delete from contact_facts where tenant_id = :tenant and contact_id = :gone"),
)
_MARK = text("update contacts set merged_into = :kept where tenant_id = :tenant and id = :gone")


async def lock(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Let nobody else make or merge contacts of a business until this transaction ends.

    Taken before any row of a contact is locked: whoever hears of strangers does the same.
    """
    await connection.execute(_LOCK, {"tenant": str(tenant_id)})


async def merge(
    connection: AsyncConnection, tenant_id: UUID, *, kept: UUID, gone: UUID, timings: Timings
) -> list[CloseRequest]:
    """Make ``kept`` the contact of everything that was ``gone``'s.

    Returns the holds of turns that it ended, which the caller releases at the end of the
    transaction (``turns.ending.close_holds``): nothing else is locked behind a wallet.
    """
    freed: list[CloseRequest] = []
    contacts = {"tenant": tenant_id, "kept": kept, "gone": gone}
    await lock(connection, tenant_id)
    pairs = (await connection.execute(_PAIRS, contacts)).all()
    for pair in pairs:
        threads = {"tenant": tenant_id, "kept_id": pair.kept_id, "gone_id": pair.gone_id}
        gone_thread = {"tenant": tenant_id, "gone_id": pair.gone_id}
        ended = (await connection.execute(_SUPERSEDE, gone_thread)).all()
        await drop_queued(connection, tenant_id, [turn.id for turn in ended])
        freed += [_release(tenant_id, turn) for turn in ended if turn.hold_id is not None]
        await connection.execute(_MOVE_MESSAGES, threads)
        for statement in _MOVE_WORDS:
            await connection.execute(statement, threads)
        if pair.people_own:
            await connection.execute(
                _KEEP_OWNER,
                {
                    "tenant": tenant_id,
                    "kept_id": pair.kept_id,
                    "state": pair.state,
                    "reason": pair.handover_reason,
                    "summary": pair.handover_summary,
                    "until": pair.human_until,
                    "snoozed_until": pair.snoozed_until,
                    "assignee_id": pair.assignee_id,
                    "handed_over_at": pair.handed_over_at,
                    "notify_at": pair.notify_at,
                },
            )
        if pair.paused_until is not None:
            paused = {"tenant": tenant_id, "kept_id": pair.kept_id, "until": pair.paused_until}
            await connection.execute(_KEEP_PAUSE, paused)
        await connection.execute(_RESOLVE, gone_thread)
        await adopt(connection, tenant_id, pair.kept_id, idle_s=timings.idle_s, cap_s=timings.cap_s)
    for statement in (*_MOVE_OTHERS, *_MOVE_KNOWN):
        await connection.execute(statement, contacts)
    await connection.execute(_KEEP_WISHES, contacts)
    await connection.execute(_MARK, contacts)
    return freed


def _release(tenant_id: UUID, turn: Any) -> CloseRequest:
    return CloseRequest(
        tenant_id=tenant_id,
        hold_id=turn.hold_id,
        captured_ucr=0,
        delivered=False,
        request_id=turn.request_id,
    )
