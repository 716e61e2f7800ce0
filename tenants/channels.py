"""Numbers at the door and on the way out: look-ups by key or session, and their secrets.

The directory caches for two seconds, so that a burst of webhooks costs one query, and a
disabled number is refused two seconds later at most. Unknown keys are remembered for one
second and bounded in number, so that guessing keys costs an attacker more than us.
"""

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.crypto import Keyring, SecretRef
from app.core.db.engine import Database

_HIT_TTL_S = 2.0
_MISS_TTL_S = 1.0
# A webhook waits for it: a database that does not answer is told as away.
_LOOK_UP_S = 2.0
_ENTRIES_MAX = 10_000
_KEY_FORM = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_SESSION_FORM = re.compile(r"[A-Za-z0-9_-]{1,54}", re.ASCII)

_COLUMNS = """
    select c.tenant_id, c.id, c.key, c.session, c.webhook_secret, c.hook_per_min, c.hook_burst
    from channels c where c.enabled and c.kind = 'waha' and
"""
_BY_KEY = text(f"{_COLUMNS} c.key = :name")
_BY_SESSION = text(f"{_COLUMNS} c.api_url is null and c.session = :name")


@dataclass(frozen=True, slots=True)
class ChannelDoor:
    """What the webhook's door needs to know of a number."""

    tenant_id: UUID
    channel_id: UUID
    key: str
    session: str
    webhook_secret: str = field(repr=False)
    hook_per_min: int | None
    hook_burst: int | None


class ChannelDirectory:
    """Finds enabled WAHA numbers by URL key, or by session on the platform's WAHA."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._entries: OrderedDict[tuple[str, str], tuple[float, ChannelDoor | None]] = (
            OrderedDict()
        )
        self._loading: dict[tuple[str, str], asyncio.Task[ChannelDoor | None]] = {}

    async def by_key(self, key: str) -> ChannelDoor | None:
        """Return the number with this URL key, or None when unknown or disabled."""
        return await self._find("key", key) if _KEY_FORM.fullmatch(key) else None

    def known(self, key: str) -> ChannelDoor | None:
        """Return the number with this URL key if it was looked up just now, else None."""
        entry = self._entries.get(("key", key))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    async def by_session(self, session: str) -> ChannelDoor | None:
        """Return the number behind this session of the platform's WAHA, or None."""
        return await self._find("session", session) if _SESSION_FORM.fullmatch(session) else None

    async def _find(self, kind: str, name: str) -> ChannelDoor | None:
        entry = self._entries.get((kind, name))
        if entry is not None and entry[0] > time.monotonic():
            return entry[1]
        task = self._loading.get((kind, name))
        if task is None:
            task = asyncio.create_task(self._load(kind, name))
            self._loading[kind, name] = task
            task.add_done_callback(lambda _: self._loading.pop((kind, name), None))
        # Shielded: a caller that goes away must not take the others' look-up with it.
        return await asyncio.shield(task)

    async def _load(self, kind: str, name: str) -> ChannelDoor | None:
        statement = _BY_KEY if kind == "key" else _BY_SESSION
        async with asyncio.timeout(_LOOK_UP_S), self._database.system_statement() as connection:
            row = (await connection.execute(statement, {"name": name})).one_or_none()
        door = None if row is None else self._door(row)
        ttl_s = _MISS_TTL_S if door is None else _HIT_TTL_S
        self._entries[kind, name] = (time.monotonic() + ttl_s, door)
        self._entries.move_to_end((kind, name))
        while len(self._entries) > _ENTRIES_MAX:
            self._entries.popitem(last=False)
        return door

    def _door(self, row: Any) -> ChannelDoor:
        secret = self._keyring.decrypt(row.webhook_secret, webhook_secret_ref(row.id))
        return ChannelDoor(
            tenant_id=row.tenant_id,
            channel_id=row.id,
            key=row.key,
            session=row.session,
            webhook_secret=secret,
            hook_per_min=row.hook_per_min,
            hook_burst=row.hook_burst,
        )


def webhook_secret_ref(channel_id: UUID) -> SecretRef:
    """Return where a number's webhook secret is sealed."""
    return SecretRef("channels", "webhook_secret", channel_id)


def api_key_ref(channel_id: UUID) -> SecretRef:
    """Return where the API key of a tenant's own WAHA is sealed."""
    return SecretRef("channels", "api_key", channel_id)
