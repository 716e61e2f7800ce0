"""What changed in a tenant's conversations, told to whoever has a page open, without a gap.

Triggers write one row into ``tenant_changes`` for each conversation that a transaction touched,
marked with the transaction's id. A reader keeps PostgreSQL's own answer to "what have I seen": a
snapshot. New is what is visible now and was not visible in the snapshot before, so transactions
that commit in another order than they began are found all the same, and nothing has to be counted,
locked or notified on the way of a message.

One look a process serves all its open streams, twenty times a second while there are any. The
cursor of a stream is such a snapshot too: who comes back with it is told what happened in between.

A reader who sees only some of the conversations is told the ids of those alone, and of the rest
only that something happened; what was theirs a moment ago is told once more when it is taken away.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.errors import ConflictError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.05
AFTER_FAILURE_S = 1.0
STREAMS_MAX = 4_000
CONVERSATIONS_MAX = 100
"""Above this many changed conversations a reader is told that anything may have changed."""
_KNOWN_MAX = 500
_CURSOR_CHARS_MAX = 96
_CURSOR = re.compile(r"(\d{1,12})\.(\d{1,20}:\d{1,20}:[\d,]{0,80})")
# Rows are kept for a day; a cursor that is older may have lost some.
_CURSOR_AGE_MAX_S = 23 * 3600

CURSOR = "extract(epoch from now())::bigint || '.' || pg_current_snapshot()::text"
"""SQL of the cursor of now: what a page that is read after this statement has seen. Its value is
to be passed through ``shortened``."""
_LOOK = f"""
    select {CURSOR} as cursor, c.tenant_id, c.conversation_id, v.assignee_id
    from (select 1) one
    left join lateral (
        select distinct tenant_id, conversation_id from tenant_changes
        where tenant_id = any($1::uuid[])
          and xid >= pg_snapshot_xmin($2::text::pg_snapshot)::text::bigint
          and not pg_visible_in_snapshot(xid::text::xid8, $2::text::pg_snapshot)
    ) c on true
    left join conversations v on v.tenant_id = c.tenant_id and v.id = c.conversation_id
"""  # noqa: S608
_IS_LOST = """
    select now() - to_timestamp($1::bigint) > make_interval(secs => $2::float8)
        or pg_snapshot_xmax($3::text::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()) as lost
"""
_TRIM = text("delete from tenant_changes where at < now() - interval '1 day'")


@dataclass(frozen=True, slots=True)
class Change:
    """Conversations that changed up to a cursor; None: any of them may have.

    ``others`` says that conversations changed which this reader does not see.
    """

    cursor: str
    conversations: frozenset[UUID] | None
    others: bool = False


@dataclass(slots=True, eq=False)
class Reader:
    """Whose changes are told: a tenant's, and for an agent (``only_of``) not others' own.

    ``known`` are conversations that the reader saw and is told of when they are taken away.
    """

    tenant_id: UUID
    only_of: UUID | None = None
    known: set[UUID] = field(default_factory=set)


_Changed = Mapping[UUID, UUID | None]
"""Changed conversations, each with the person in charge of it."""


@dataclass(slots=True, eq=False)
class _Stream:
    """One open page: what it has not been told yet."""

    reader: Reader
    changed: dict[UUID, UUID | None] = field(default_factory=dict)
    cursor: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, conversations: _Changed, cursor: str) -> None:
        self.changed.update(conversations)
        self.cursor = cursor
        self.wake.set()

    def take(self) -> Change:
        self.wake.clear()
        changed, self.changed = self.changed, {}
        if len(changed) > CONVERSATIONS_MAX:
            return Change(self.cursor, None)
        told = frozenset(changed) if self.reader.only_of is None else self._own(changed)
        return Change(self.cursor, told, others=len(told) < len(changed))

    def _own(self, changed: _Changed) -> frozenset[UUID]:
        known, own = self.reader.known, {None, self.reader.only_of}
        seen = {each for each, assignee_id in changed.items() if assignee_id in own}
        told = frozenset(seen | (known & changed.keys()))
        known.difference_update(changed)
        known.update(seen if len(known) < _KNOWN_MAX else ())
        return told


class ChangeFeed:
    """Tells open streams what changed. Use from one event loop."""

    def __init__(self, database: Database, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._connection = database.standing()
        self._look_every_s = look_every_s
        self._streams: dict[UUID, set[_Stream]] = {}
        self._open = 0
        self._snapshot = ""
        self._looking: asyncio.Task[None] | None = None
        # Looks and catching up never overlap: a look that began before a stream was there could
        # otherwise step over what the stream has not read yet.
        self._turn = asyncio.Lock()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._open

    async def changes(self, reader: Reader, after: str | None) -> AsyncGenerator[Change, None]:
        """Yield what changes for a reader from a cursor on, until closed.

        The first one comes at once and may be empty: it carries the cursor to come back with. A
        change may be told twice, never not at all.

        Args:
            reader: whose conversations.
            after: a cursor of this feed; None or one that is not good any more: from now on, and
                the first change says that anything may have changed.

        Raises:
            ConflictError: too many streams are open on this process.
        """
        if self._open >= STREAMS_MAX:
            raise ConflictError("Too many pages are open. Reload this one in a moment.")
        stream = _Stream(reader)
        self._add(stream)
        try:
            yield await self._catch_up(stream, after)
            while True:
                await stream.wake.wait()
                yield stream.take()
        finally:
            self._remove(stream)

    def _add(self, stream: _Stream) -> None:
        self._streams.setdefault(stream.reader.tenant_id, set()).add(stream)
        self._open += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_for_ever(), name="live.look")

    def _remove(self, stream: _Stream) -> None:
        tenant_id = stream.reader.tenant_id
        left = self._streams[tenant_id]
        left.discard(stream)
        self._open -= 1
        if not left:
            del self._streams[tenant_id]

    async def _catch_up(self, stream: _Stream, after: str | None) -> Change:
        since = _CURSOR.fullmatch(after or "")
        while True:
            try:
                async with self._turn:
                    return await self._read_up(stream, since)
            except Exception as error:  # noqa: BLE001 - PostgreSQL is away: the stream waits
                log.warning("live updates wait", extra={"errorType": type(error).__name__})
                await asyncio.sleep(AFTER_FAILURE_S)

    async def _read_up(self, stream: _Stream, since: re.Match[str] | None) -> Change:
        if since is None or await self._is_lost(since):
            cursor, _ = await self._read([], "1:1:")
            change = Change(cursor, None)
        else:
            tenant_id = stream.reader.tenant_id
            cursor, found = await self._read([tenant_id], since[2])
            stream.add(found.get(tenant_id, {}), cursor)
            change = stream.take()
        # Looks go on from where the first of the streams stands.
        self._snapshot = self._snapshot or _snapshot(cursor)
        return change

    async def _is_lost(self, since: re.Match[str]) -> bool:
        values = (int(since[1]), float(_CURSOR_AGE_MAX_S), since[2])
        (row,) = await self._connection.fetch(_IS_LOST, *values)
        return bool(row["lost"])

    async def _look_for_ever(self) -> None:
        while self._streams:
            await asyncio.sleep(self._look_every_s)
            try:
                async with self._turn:
                    await self._look()
            except Exception as error:  # noqa: BLE001 - the snapshot stays: nothing is lost
                log.warning("live updates wait", extra={"errorType": type(error).__name__})
                await asyncio.sleep(AFTER_FAILURE_S)
        self._looking, self._snapshot = None, ""
        async with self._turn:
            if not self._streams:
                await self._connection.close()

    async def _look(self) -> None:
        if not self._snapshot:
            return
        cursor, found = await self._read(list(self._streams), self._snapshot)
        self._snapshot = _snapshot(cursor)
        for tenant_id, conversations in found.items():
            for stream in self._streams.get(tenant_id, ()):
                stream.add(conversations, cursor)

    async def _read(
        self, tenants: list[UUID], since: str
    ) -> tuple[str, dict[UUID, dict[UUID, UUID | None]]]:
        rows: list[Any] = await self._connection.fetch(_LOOK, tenants, since)
        found: dict[UUID, dict[UUID, UUID | None]] = {}
        for _, *ids in rows:
            tenant_id, conversation_id, assignee_id = map(_ours, ids)
            if tenant_id is not None and conversation_id is not None:
                found.setdefault(tenant_id, {})[conversation_id] = assignee_id
        return shortened(rows[0]["cursor"]), found


async def trim(connection: AsyncConnection) -> int:
    """Forget changes that are older than a day."""
    return (await connection.execute(_TRIM)).rowcount


def _ours(driver_id: Any) -> UUID | None:
    """Return asyncpg's UUID as ours: it compares alike, but its hash is not to be relied on."""
    return None if driver_id is None else UUID(bytes=driver_id.bytes)


def _snapshot(cursor: str) -> str:
    return cursor.partition(".")[2]


def shortened(cursor: str) -> str:
    """Keep a cursor small: with many transactions under way it begins before the first of them."""
    if len(cursor) <= _CURSOR_CHARS_MAX:
        return cursor
    epoch_s, _, snapshot = cursor.partition(".")
    xmin = snapshot.partition(":")[0]
    return f"{epoch_s}.{xmin}:{xmin}:"
