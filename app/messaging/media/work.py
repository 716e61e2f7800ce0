"""The work list of files: claimed under a lease, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.ports import Reading

LEASE_S = 20.0
"""Renewed while a file is worked on; of whoever died another takes it over while its turn waits."""
RENEW_S = 6.0

# A tenant's first files come before anybody's later ones.
_CLAIM = text(
    """
    with ripe as (
        select tenant_id, id, due_at,
               row_number() over (partition by tenant_id order by due_at) as place
        from message_media
        where state in ('wanted', 'stored') and due_at <= now()
    ), chosen as (
        select w.tenant_id, w.id
        from ripe r join message_media w on w.tenant_id = r.tenant_id and w.id = r.id
        where w.state in ('wanted', 'stored') and w.due_at <= now()
        order by r.place, r.due_at limit :files_max
        for update of w skip locked
    )
    update message_media w
    set attempts = w.attempts + 1, due_at = now() + make_interval(secs => :lease_s)
    from chosen h
    join message_media o on o.tenant_id = h.tenant_id and o.id = h.id
    join messages m on m.tenant_id = o.tenant_id and m.id = o.message_id
    join conversations v on v.tenant_id = m.tenant_id and v.id = m.conversation_id
    join channels c on c.tenant_id = m.tenant_id and c.id = m.channel_id
    where w.tenant_id = h.tenant_id and w.id = h.id
    returning w.tenant_id, w.id, w.message_id, w.kind, w.state, w.to_read, w.url, w.name,
              w.claimed_type, w.content_type, w.duration_ms, w.attempts,
              extract(epoch from now() - w.created_at)::float8 as age_s,
              m.wa_id, m.direction, m.request_id, v.address,
              c.id as channel_id, c.session, c.api_url, c.api_key, c.engine, c.engine_version
    """
)
_STORED = text(
    """
    update message_media
    set state = :state, content_type = :content_type, size_bytes = :size_bytes,
        sha256 = :sha256, duration_ms = :duration_ms, name = :name,
        finished_at = case when :state = 'ready' then now() end
    where tenant_id = :tenant_id and id = :id and attempts = :attempts and state = 'wanted'
    """
)
_READ = text(
    """
    update message_media
    set state = 'ready', reading = :reading, audio_ms = :audio_ms, pages = :pages,
        model = :model, input_tokens = :input_tokens, output_tokens = :output_tokens,
        reason = :reason, finished_at = now()
    where tenant_id = :tenant_id and id = :id and attempts = :attempts and state = 'stored'
    """
)
_END = text(
    """
    update message_media set state = :state, reason = :reason, finished_at = now()
    where tenant_id = :tenant_id and id = :id and attempts = :attempts
      and state in ('wanted', 'stored')
    """
)
_LATER = text(
    """
    update message_media set due_at = now() + make_interval(secs => :wait_s)
    where tenant_id = :tenant_id and id = :id and attempts = :attempts
      and state in ('wanted', 'stored')
    """
)
_READDRESS = text(
    """
    update message_media set url = :url
    where tenant_id = :tenant_id and id = :id and attempts = :attempts
    """
)
# A turn is locked before the files it waits for, as those do who delete both. And locked by a
# statement of its own: another message may just be joining it with a file that is not read yet,
# which only a statement that begins after the lock sees.
_LOCK_TURN = text(
    """
    select t.id from messages m
    join turns t on t.tenant_id = m.tenant_id and t.id = m.turn_id and t.state = 'waiting'
    where m.tenant_id = :tenant_id and m.id = :message_id
    for no key update of t
    """
)
_KNOWN = text("select 1 from message_media where tenant_id = :tenant_id and id = :id")
# The turn waited for its files: it goes on when the last of them is read, but never before the
# customer was quiet long enough.
_GO_ON = text(
    """
    update turns t
    set media_until = null,
        due_at = least(t.due_at, greatest(now(), (
            select l.received_at + make_interval(secs => coalesce(b.idle_s, :idle_s)
                       * case when l.media is null then 1 else 2 end)
            from messages l where l.tenant_id = t.tenant_id and l.turn_id = t.id
              and l.direction = 'in'
            order by l.received_at desc, l.id desc limit 1)))
    from messages m join tenants b on b.id = m.tenant_id
    where m.tenant_id = :tenant_id and m.id = :message_id
      and t.tenant_id = m.tenant_id and t.id = m.turn_id and t.state = 'waiting'
      and not exists (
          select 1 from messages o
          join message_media w on w.tenant_id = o.tenant_id and w.message_id = o.id
          where o.tenant_id = t.tenant_id and o.turn_id = t.id
            and w.to_read and w.state in ('wanted', 'stored'))
    returning t.id
    """
)
_READ_LATELY = text(
    """
    select count(*) from messages m
    join messages o on o.tenant_id = m.tenant_id and o.conversation_id = m.conversation_id
     and o.sent_at > now() - interval '1 hour' and o.direction = 'in'
    join message_media w on w.tenant_id = o.tenant_id and w.message_id = o.id
     and w.reading is not null
    where m.tenant_id = :tenant_id and m.id = :message_id
    """
)
_RENEW = text(
    """
    update message_media w set due_at = now() + make_interval(secs => :lease_s)
    from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:attempts as int[]))
        as h(tenant_id, id, attempts)
    where w.tenant_id = h.tenant_id and w.id = h.id and w.attempts = h.attempts
      and w.state in ('wanted', 'stored')
    """
)
# Pages that are open show it at once.
_CHANGED = text(
    """
    insert into tenant_changes (tenant_id, conversation_id)
    select tenant_id, conversation_id from messages
    where tenant_id = :tenant_id and id = :message_id
    on conflict do nothing
    """
)
_NOTIFY = text("select pg_notify('parley_turns', '')")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file under our lease. Writes carry ``attempts``: after a lost lease they match nothing."""

    tenant_id: UUID
    id: UUID
    message_id: UUID
    kind: str
    state: str
    to_read: bool
    url: str | None = field(repr=False)
    name: str | None = field(repr=False)
    claimed_type: str | None
    content_type: str | None
    duration_ms: int | None
    attempts: int
    age_s: float
    wa_id: str | None
    direction: str
    request_id: str | None
    address: str = field(repr=False)
    channel_id: UUID
    session: str
    api_url: str | None
    api_key: bytes | None = field(repr=False)
    engine: str | None
    engine_version: str | None

    @property
    def lease(self) -> dict[str, Any]:
        """What our writes are fenced by."""
        return {"tenant_id": self.tenant_id, "id": self.id, "attempts": self.attempts}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file turned out to be, once it is in the store."""

    content_type: str
    name: str
    size_bytes: int
    sha256: bytes
    duration_ms: int | None


async def claim(database: Database, *, files_max: int) -> list[Wanted]:
    """Lease up to ``files_max`` files that are to be fetched or read, tenants in turn."""
    async with database.system() as connection:
        rows = await connection.execute(_CLAIM, {"files_max": files_max, "lease_s": LEASE_S})
        return [Wanted(**row._mapping) for row in rows]  # noqa: SLF001


async def renew(database: Database, held: Sequence[Wanted], *, lease_s: float = LEASE_S) -> None:
    """Extend leases that are still ours; with 0 s they are given back."""
    if not held:
        return
    values = {
        "tenants": [w.tenant_id for w in held],
        "ids": [w.id for w in held],
        "attempts": [w.attempts for w in held],
        "lease_s": lease_s,
    }
    async with database.system() as connection:
        await connection.execute(_RENEW, values)


async def note_kept(database: Database, wanted: Wanted, kept: Kept) -> bool:
    """Record that a file is in the store; False when its row is gone or another has it."""
    values = {
        **wanted.lease,
        "state": "stored" if wanted.to_read else "ready",
        "content_type": kept.content_type,
        "name": kept.name,
        "size_bytes": kept.size_bytes,
        "sha256": kept.sha256,
        "duration_ms": kept.duration_ms,
    }
    async with database.tenant(wanted.tenant_id) as connection:
        if not (await connection.execute(_STORED, values)).rowcount:
            return False
        await connection.execute(_CHANGED, _message(wanted))
        return True


async def is_known(database: Database, wanted: Wanted) -> bool:
    """Tell whether a file still has its row, whoever works on it."""
    async with database.tenant(wanted.tenant_id) as connection:
        values = {"tenant_id": wanted.tenant_id, "id": wanted.id}
        return await connection.scalar(_KNOWN, values) is not None


async def note_read(
    database: Database,
    wanted: Wanted,
    reading: Reading | None,
    *,
    reason: str | None,
    idle_s: float,
) -> None:
    """Record what a file says (or that it says nothing to us), and let its turn go on."""
    values = {
        **wanted.lease,
        "reading": reading.text if reading else None,
        "audio_ms": reading.audio_ms if reading else 0,
        "pages": reading.pages if reading else 0,
        "model": reading.model if reading else None,
        "input_tokens": reading.input_tokens if reading else 0,
        "output_tokens": reading.output_tokens if reading else 0,
        "reason": reason,
    }
    async with database.tenant(wanted.tenant_id) as connection:
        await connection.execute(_LOCK_TURN, _message(wanted))
        if (await connection.execute(_READ, values)).rowcount:
            await connection.execute(_CHANGED, _message(wanted))
            await _go_on(connection, wanted, idle_s)


async def read_lately(database: Database, wanted: Wanted) -> int:
    """Return how many files of the same conversation were read within the last hour."""
    async with database.tenant(wanted.tenant_id) as connection:
        return int(await connection.scalar(_READ_LATELY, _message(wanted)) or 0)


async def note_end(
    database: Database, wanted: Wanted, state: str, reason: str, *, idle_s: float
) -> None:
    """Record that a file will not be had, and let its turn go on without it."""
    values = {**wanted.lease, "state": state, "reason": reason}
    async with database.tenant(wanted.tenant_id) as connection:
        await connection.execute(_LOCK_TURN, _message(wanted))
        if (await connection.execute(_END, values)).rowcount:
            await connection.execute(_CHANGED, _message(wanted))
            await _go_on(connection, wanted, idle_s)


async def try_later(database: Database, wanted: Wanted, wait_s: float) -> None:
    """Give a file back for another try after ``wait_s`` seconds."""
    async with database.tenant(wanted.tenant_id) as connection:
        await connection.execute(_LATER, {**wanted.lease, "wait_s": wait_s})


async def readdress(database: Database, wanted: Wanted, url: str) -> None:
    """Record a file's new address."""
    async with database.tenant(wanted.tenant_id) as connection:
        await connection.execute(_READDRESS, {**wanted.lease, "url": url})


async def _go_on(connection: AsyncConnection, wanted: Wanted, idle_s: float) -> None:
    values = {**_message(wanted), "idle_s": idle_s}
    if (await connection.execute(_GO_ON, values)).scalar_one_or_none() is not None:
        await connection.execute(_NOTIFY)


def _message(wanted: Wanted) -> dict[str, UUID]:
    return {"tenant_id": wanted.tenant_id, "message_id": wanted.message_id}
