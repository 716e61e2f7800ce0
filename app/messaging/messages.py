"""Messages: stored once whatever their spelling, and given their disposition."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.messaging.states import Disposition

_INSERT = text(
    """
    insert into messages (tenant_id, id, conversation_id, channel_id, direction, author, wa_id,
                          kind, body, media, reply_to, sent_at, disposition, disposition_at,
                          notice, request_id)
    select tenant_id, id, conversation_id, channel_id, direction, author, wa_id, kind, body,
           media, reply_to, sent_at, disposition,
           case when disposition is not null then now() end, notice, request_id
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, conversation_id uuid, channel_id uuid, direction text,
             author text, wa_id text, kind text, body text, media jsonb, reply_to text,
             sent_at timestamptz, disposition text, notice text, request_id text)
    order by tenant_id, channel_id, wa_id, direction
    on conflict (tenant_id, channel_id, wa_id, direction) do nothing
    returning id
    """
)
CHANGE_LOCK = "1885434733, hashtext(r.channel_id || r.wa_id)"
"""Two numbers that lock a message of ``r``, be it stored or not: storing it shares the lock,
changing it does not."""
# All of them are locked, so the look is in the list and no join.
_KNOWN = text(
    f"""
    with given as materialized (
        select r.*, pg_advisory_xact_lock_shared({CHANGE_LOCK})
        from (
            select * from jsonb_to_recordset(cast(:rows as jsonb))
                as given(tenant_id uuid, channel_id uuid, wa_id text, direction text)
            order by channel_id, wa_id
        ) r
    )
    select tenant_id, channel_id, wa_id, direction, exists (
        select 1 from messages m
        where m.tenant_id = g.tenant_id and m.channel_id = g.channel_id and m.wa_id = g.wa_id
          and m.direction = g.direction) as known
    from given g
    """  # noqa: S608 - our own words
)
# The newest message of a turn was answered, the earlier ones were answered with it.
_DISPOSE_TURNS = text(
    """
    update messages m
    set disposition = case
            when r.disposition = 'answered' and exists (
                select 1 from messages l
                where l.tenant_id = :tenant_id and l.turn_id = r.turn_id and l.direction = 'in'
                  and (l.sent_at, l.id) > (m.sent_at, m.id))
            then 'merged' else r.disposition end,
        disposition_at = now()
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(turn_id uuid, disposition text)
    where m.tenant_id = :tenant_id and m.turn_id = r.turn_id and m.direction = 'in'
      and (m.disposition is null or (:replace and m.disposition = 'send_unknown'))
    """
)
_EDIT = text(
    """
    update messages m set body = r.body, edited_at = now()
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, channel_id uuid, wa_id text, direction text, body text)
    where m.tenant_id = r.tenant_id and m.channel_id = r.channel_id and m.wa_id = r.wa_id
      and m.direction = r.direction
      and (m.direction = 'out' or m.turn_id is null or exists (
            select 1 from turns t where t.tenant_id = m.tenant_id and t.id = m.turn_id
              and t.state in ('waiting', 'due')))
    """
)
_REVOKE = text(
    """
    update messages m set revoked_at = coalesce(m.revoked_at, now())
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, channel_id uuid, wa_id text)
    where m.tenant_id = r.tenant_id and m.channel_id = r.channel_id and m.wa_id = r.wa_id
    """
)


async def insert_new(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store messages that are not there yet; return the ids of those."""
    if not rows:
        return set()
    return set((await connection.execute(_INSERT, {"rows": as_rows(rows)})).scalars())


async def known(
    connection: AsyncConnection, keys: Iterable[tuple[UUID, UUID, str, str]]
) -> set[tuple[UUID, UUID, str, str]]:
    """Return which (tenant, channel, wa id, direction) are stored already.

    Until the transaction ends nobody else changes these messages (``CHANGE_LOCK``).
    """
    rows = as_rows(
        {"tenant_id": t, "channel_id": c, "wa_id": w, "direction": d} for t, c, w, d in keys
    )
    found = await connection.execute(_KNOWN, {"rows": rows})
    return {(r.tenant_id, r.channel_id, r.wa_id, r.direction) for r in found if r.known}


async def dispose_turns(
    connection: AsyncConnection,
    tenant_id: UUID,
    dispositions: Mapping[UUID, Disposition],
    *,
    replace_unknown: bool = False,
) -> None:
    """Give the messages of turns (the keys) their disposition, once.

    ``answered`` goes to the newest one, ``merged`` to the others. ``replace_unknown`` lets
    evidence turn ``send_unknown`` into what really happened.
    """
    rows = as_rows(
        {"turn_id": turn_id, "disposition": disposition.value}
        for turn_id, disposition in dispositions.items()
    )
    await connection.execute(
        _DISPOSE_TURNS, {"tenant_id": tenant_id, "rows": rows, "replace": replace_unknown}
    )


async def edit(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change texts; an inbound edit counts only until its turn is claimed."""
    if rows:
        await connection.execute(_EDIT, {"rows": as_rows(rows)})


async def revoke(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mark messages as deleted by their author; they no longer enter a prompt."""
    if rows:
        await connection.execute(_REVOKE, {"rows": as_rows(rows)})
