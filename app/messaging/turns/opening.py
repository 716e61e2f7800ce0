"""Opening turns: a message joins the conversation's waiting turn or starts one.

While a turn waits, each message moves ``due_at = min(now + idle, first + cap)``; while a file of
it is being fetched and read it waits for that too, for a while (``media_until``). Once a
worker has it, new messages stay without a turn; whoever ends the turn opens the next one for
them, in the same transaction (``open_next``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows

_LIVE = text(
    """
    select t.tenant_id, t.conversation_id, t.id, t.state
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, conversation_id uuid)
    join turns t on t.tenant_id = r.tenant_id and t.conversation_id = r.conversation_id
     and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')
    order by t.tenant_id, t.id for update of t
    """
)
_INSERT = text(
    """
    insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at,
                       message_count, supersedes, request_id)
    select tenant_id, id, conversation_id, channel_id, 'waiting', first_at,
           case when message_count >= messages_max then now()
                else least(now() + make_interval(secs => idle_s),
                           first_at + make_interval(secs => cap_s)) end,
           message_count, supersedes, request_id
    from (
        select r.*, coalesce(r.began_at, now()) as first_at
        from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, id uuid, conversation_id uuid, channel_id uuid, idle_s float8,
                 cap_s float8, message_count int, messages_max int, supersedes int,
                 request_id text, began_at timestamptz)
    ) r
    order by tenant_id, conversation_id
    returning tenant_id, due_at
    """
)
_QUEUE = text(
    """
    insert into tenant_queues (tenant_id)
    select tenant_id from unnest(cast(:tenants as uuid[])) as t(tenant_id) order by tenant_id
    on conflict do nothing
    """
)
_JOIN = text(
    """
    update turns t
    set message_count = t.message_count + r.message_count,
        request_id = r.request_id,
        due_at = case
            when t.message_count + r.message_count >= r.messages_max then least(t.due_at, now())
            when t.state = 'due' then t.due_at
            else greatest(least(now() + make_interval(secs => r.idle_s),
                                t.first_at + make_interval(secs => r.cap_s)),
                          t.media_until) end
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, idle_s float8, cap_s float8, message_count int,
             messages_max int, request_id text)
    where t.tenant_id = r.tenant_id and t.id = r.id
    """
)
_ATTACH = text(
    """
    update messages m set turn_id = r.id
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, conversation_id uuid)
    where m.tenant_id = r.tenant_id and m.conversation_id = r.conversation_id
      and m.direction = 'in' and m.disposition is null and m.turn_id is null
    """
)
# Files count from their arrival, but never beyond what the turn as a whole may wait.
_AWAIT_MEDIA = text(
    """
    update turns t
    set media_until = w.until, due_at = greatest(t.due_at, w.until)
    from (
        select o.tenant_id, o.id, least(
                   max(f.created_at) + make_interval(secs => :media_wait_s),
                   o.first_at + make_interval(secs => greatest(r.cap_s, :media_wait_s))) as until
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, id uuid, cap_s float8)
        join turns o on o.tenant_id = r.tenant_id and o.id = r.id and o.state = 'waiting'
        join messages m on m.tenant_id = o.tenant_id and m.turn_id = o.id and m.direction = 'in'
        join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
         and f.to_read and f.state in ('wanted', 'stored')
        group by o.tenant_id, o.id, o.first_at, r.cap_s
    ) w
    where t.tenant_id = w.tenant_id and t.id = w.id
    """
)
# Files that nobody read when they came: whenever that was, the wait begins now.
_AWAIT_MISSED = text(
    """
    update turns t
    set media_until = now() + make_interval(secs => :media_wait_s),
        due_at = greatest(t.due_at, now() + make_interval(secs => :media_wait_s))
    where t.tenant_id = :tenant_id and t.conversation_id = :conversation_id
      and t.state = 'waiting' and exists (
          select 1 from messages m
          join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
           and f.to_read and f.state in ('wanted', 'stored')
          where m.tenant_id = t.tenant_id and m.turn_id = t.id and m.direction = 'in')
    """
)
_OPEN_MESSAGES = text(
    """
    select m.conversation_id, count(*) as message_count,
           min(m.received_at) as began_at,
           (array_agg(m.request_id order by m.sent_at desc, m.id desc))[1] as request_id,
           max(c.channel_id::text)::uuid as channel_id,
           max(coalesce(t.idle_s, :idle_s)) as idle_s,
           max(coalesce(t.cap_s, :cap_s)) as cap_s,
           max(t.batch_messages_max) as messages_max
    from messages m
    join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    join tenants t on t.id = m.tenant_id
    where m.tenant_id = :tenant_id and m.conversation_id = any(:conversations)
      and m.direction = 'in' and m.disposition is null and m.turn_id is null
    group by m.conversation_id
    """
)
_RECOUNT = text(
    """
    update turns t set message_count = (
        select count(*) from messages m where m.tenant_id = t.tenant_id and m.turn_id = t.id
          and m.direction = 'in')
    where t.tenant_id = :tenant_id and t.id = :id
    """
)
_STRAYS = text(
    """
    select distinct m.tenant_id, m.conversation_id
    from messages m
    where m.direction = 'in' and m.disposition is null and m.turn_id is null
      and m.received_at < now() - interval '10 seconds'
      and not exists (
          select 1 from turns t where t.tenant_id = m.tenant_id
            and t.conversation_id = m.conversation_id
            and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending'))
    order by m.tenant_id, m.conversation_id limit :rows_max
    """
)
# Delivered at commit: the dispatcher plans for the new due times.
_NOTIFY = text("select pg_notify('parley_turns', '')")
# Typing is no reason to wait for a turn that somebody else is changing just now.
_TYPING = text(
    """
    with typed as (
        select t.tenant_id, t.id, r.idle_s, r.cap_s
        from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, channel_id uuid, address text, idle_s float8, cap_s float8)
        join contact_addresses a on a.tenant_id = r.tenant_id and a.address = r.address
        join conversations c on c.tenant_id = a.tenant_id and c.contact_id = a.contact_id
         and c.channel_id = r.channel_id and c.state <> 'resolved'
        join turns t on t.tenant_id = c.tenant_id and t.conversation_id = c.id
         and t.state = 'waiting'
        order by t.tenant_id, t.id for no key update of t skip locked
    )
    update turns t
    set due_at = greatest(least(greatest(t.due_at, now() + make_interval(secs => r.idle_s)),
                                t.first_at + make_interval(secs => r.cap_s)),
                          t.media_until)
    from typed r where t.tenant_id = r.tenant_id and t.id = r.id
    """
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """New messages of one conversation that want an answer. Durations in seconds."""

    tenant_id: UUID
    conversation_id: UUID
    channel_id: UUID
    message_count: int
    request_id: str
    idle_s: float
    cap_s: float
    messages_max: int
    media_wait_s: float = 0.0
    """How long files of these messages may be waited for; 0 where there are none."""


async def join_or_open(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> None:
    """Attach arrivals to waiting turns or open new ones; the conversations are locked."""
    rows = as_rows(
        {"tenant_id": a.tenant_id, "conversation_id": a.conversation_id} for a in arrivals
    )
    live = {
        (row.tenant_id, row.conversation_id): row
        for row in await connection.execute(_LIVE, {"rows": rows})
    }
    joined, opened = [], []
    for arrival in arrivals:
        turn = live.get((arrival.tenant_id, arrival.conversation_id))
        if turn is None:
            opened.append(_row(arrival, ids.uuid7()))
        elif turn.state in {"waiting", "due"}:
            joined.append(_row(arrival, turn.id))
    if opened:
        await _insert(connection, opened)
    if joined:
        await connection.execute(_JOIN, {"rows": as_rows(joined)})
    if opened or joined:
        await connection.execute(_ATTACH, {"rows": as_rows([*opened, *joined])})
    if media_wait_s := max((a.media_wait_s for a in arrivals), default=0.0):
        await _await_media(connection, [*opened, *joined], media_wait_s)
    if opened:
        await tell_dispatcher(connection)


async def _await_media(
    connection: AsyncConnection, rows: Sequence[dict[str, object]], media_wait_s: float
) -> None:
    await connection.execute(_AWAIT_MEDIA, {"rows": as_rows(rows), "media_wait_s": media_wait_s})


def _row(arrival: Arrival, turn_id: UUID) -> dict[str, object]:
    return {
        "tenant_id": arrival.tenant_id,
        "id": turn_id,
        "conversation_id": arrival.conversation_id,
        "channel_id": arrival.channel_id,
        "idle_s": arrival.idle_s,
        "cap_s": arrival.cap_s,
        "message_count": arrival.message_count,
        "messages_max": arrival.messages_max,
        "supersedes": 0,
        "request_id": arrival.request_id,
        "began_at": None,
    }


async def _insert(connection: AsyncConnection, rows: Sequence[dict[str, object]]) -> None:
    await connection.execute(_INSERT, {"rows": as_rows(rows)})
    tenants = sorted({str(row["tenant_id"]) for row in rows})
    await connection.execute(_QUEUE, {"tenants": [UUID(t) for t in tenants]})


async def open_next(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversations: Mapping[UUID, int],
    *,
    idle_s: float,
    cap_s: float,
    media_wait_s: float = 0.0,
) -> None:
    """Open turns for messages that have none; the conversations are locked, no turn is live.

    The cap counts from the oldest open message, so that a customer who keeps writing is
    answered after the cap all the same.

    Args:
        connection: an open transaction.
        tenant_id: the tenant.
        conversations: each with the number of answers in a row that newer messages overtook.
        idle_s: where the tenant has none of its own, in seconds.
        cap_s: likewise.
        media_wait_s: how long files that are not read yet may be waited for.
    """
    found = await connection.execute(
        _OPEN_MESSAGES,
        {
            "tenant_id": tenant_id,
            "conversations": list(conversations),
            "idle_s": idle_s,
            "cap_s": cap_s,
        },
    )
    rows: list[dict[str, object]] = [
        {
            **row._mapping,  # noqa: SLF001
            "tenant_id": tenant_id,
            "id": ids.uuid7(),
            "supersedes": conversations[row.conversation_id],
        }
        for row in found
    ]
    if rows:
        await _insert(connection, rows)
        await connection.execute(_ATTACH, {"rows": as_rows(rows)})
        if media_wait_s:
            await _await_media(connection, rows, media_wait_s)


async def adopt(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    *,
    idle_s: float,
    cap_s: float,
    media_wait_s: float = 0.0,
) -> None:
    """Give open messages that have no turn to the waiting turn, or open one for them.

    The conversation is locked. A turn under way is left alone: whoever ends it opens the next.
    Files that are still to be read may be waited for ``media_wait_s`` seconds from now.
    """
    key = {"tenant_id": tenant_id, "conversation_id": conversation_id}
    turn = (await connection.execute(_LIVE, {"rows": as_rows([key])})).one_or_none()
    if turn is None:
        await open_next(
            connection,
            tenant_id,
            {conversation_id: 0},
            idle_s=idle_s,
            cap_s=cap_s,
        )
    elif turn.state in {"waiting", "due"}:
        await connection.execute(_ATTACH, {"rows": as_rows([{**key, "id": turn.id}])})
        await connection.execute(_RECOUNT, {"tenant_id": tenant_id, "id": turn.id})
    if media_wait_s:
        await connection.execute(_AWAIT_MISSED, {**key, "media_wait_s": media_wait_s})


async def tell_dispatcher(connection: AsyncConnection) -> None:
    """Have the dispatcher look at the due times of turns once this transaction is committed."""
    await connection.execute(_NOTIFY)


async def strays(connection: AsyncConnection, *, rows_max: int) -> list[tuple[UUID, UUID]]:
    """Return conversations with open messages and no live turn for a while: nobody's work."""
    found = await connection.execute(_STRAYS, {"rows_max": rows_max})
    return [(row.tenant_id, row.conversation_id) for row in found]


async def lock_live(connection: AsyncConnection, threads: Iterable[tuple[UUID, UUID]]) -> None:
    """Lock the live turns of (tenant, conversation) pairs, all in one order.

    For a batch that changes them one after the other: whoever else locks several turns at once
    (joining, renewing leases) does it in the order of their ids too.
    """
    rows = as_rows({"tenant_id": t, "conversation_id": c} for t, c in threads)
    await connection.execute(_LIVE, {"rows": rows})


async def note_typing(connection: AsyncConnection, rows: Sequence[dict[str, object]]) -> None:
    """Let waiting turns wait on while their customer types, up to the cap."""
    if rows:
        await connection.execute(_TYPING, {"rows": as_rows(rows)})
