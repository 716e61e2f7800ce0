"""Closing gaps: what WAHA knows and we do not, asked for after silence, at start, and hourly.

WAHA retries a webhook for as long as its policy says and forgets it at a restart, and some
engines go silent while their status says WORKING. So each number's recent messages are
listed now and then and put into the inbox under keys of their own; the message's bare id
keeps out what is known. What is older than the tenant's limit is shown, never answered.

Doubtful sends are read back the same way: a part that was given up as ``unknown`` is settled
when WAHA shows its message; it is never sent again.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import text

from app.channels.port import ChannelAccess
from app.channels.waha.addresses import parse_message_id
from app.core import ids
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.engine import Database
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.messaging.access import channel_access
from app.messaging.history import History, recent_messages
from app.messaging.ingest.storing import Delivery, store
from app.messaging.sends.settling import lock_conversation, settle_unknown

log = logging.getLogger(__name__)

_CHANNELS_PER_PASS = 20
_PAGE = 100
_OVERLAP_S = 120
_STORED_TOGETHER = 200
_READ_BACKS_MAX = 6

_ACCESS = """
    c.tenant_id, c.id as channel_id, c.session, c.api_url, c.api_key, c.engine, c.engine_version
"""
_TAKE = text(
    f"""
    update channels c set reconcile_due_at = now() + make_interval(secs => :check_s)
    where (c.tenant_id, c.id) in (
        select tenant_id, id from channels
        where enabled and kind = 'waha' and reconcile_due_at <= now()
          and (reconciled_at is null
               or reconciled_at < now() - make_interval(secs => :every_s)
               or coalesce(last_event_at, created_at) < now() - make_interval(secs => :silence_s))
        order by reconcile_due_at limit :channels_max for update skip locked)
    returning {_ACCESS}, extract(epoch from c.reconcile_from)::float8 as from_s,
              extract(epoch from now())::float8 as now_s
    """  # noqa: S608 - a list of columns of ours
)
_DONE = text(
    """
    update channels set reconciled_at = now(), reconcile_from = to_timestamp(:now_s)
    where tenant_id = :tenant_id and id = :channel_id
    """
)
_FORCE = text(
    "update channels set reconciled_at = null, reconcile_due_at = now()"
    " where enabled and kind = 'waha'"
)
_UNCHECKED_LIDS = text(
    f"""
    update contact_addresses a set checked_at = now()
    from (
        select u.tenant_id, u.id, v.channel_id
        from contact_addresses u
        join conversations v on v.tenant_id = u.tenant_id and v.contact_id = u.contact_id
         and v.state <> 'resolved'
        where u.kind = 'lid' and u.checked_at is null
        order by u.created_at limit :addresses_max for update of u skip locked
    ) w
    join channels c on c.tenant_id = w.tenant_id and c.id = w.channel_id
    where a.tenant_id = w.tenant_id and a.id = w.id
    returning a.address, {_ACCESS}
    """  # noqa: S608
)
_UNKNOWN_PARTS = text(
    f"""
    update send_parts p set checks = p.checks + 1, checked_at = now()
    from sends s, channels c, messages m
    where p.state = 'unknown' and p.checks < :checks_max
      and coalesce(p.checked_at, p.started_at) < now() - make_interval(secs => :every_s)
      and s.tenant_id = p.tenant_id and s.id = p.send_id
      and c.tenant_id = p.tenant_id and c.id = p.channel_id
      and m.tenant_id = p.tenant_id and m.id = p.message_id
    returning p.id, s.address, m.body, m.kind, p.client_message_id, p.wa_id,
              extract(epoch from p.started_at)::float8 as started_s, {_ACCESS}
    """  # noqa: S608
)
_BIND = text(
    """
    update send_parts p set wa_id = :wa_id
    where p.tenant_id = :tenant_id and p.id = :id and p.state = 'unknown'
      and not exists (select 1 from send_parts o where o.tenant_id = p.tenant_id
                        and o.channel_id = p.channel_id and o.wa_id = :wa_id and o.id <> p.id)
    """
)


class Reconciler:
    """Compares our rows with WAHA's. Use from one event loop; several processes may run it."""

    def __init__(
        self, database: Database, history: History, settings: Settings, keyring: Keyring
    ) -> None:
        self._database = database
        self._history = history
        self._settings = settings
        self._keyring = keyring

    async def run_once(self) -> int:
        """Do one pass of each kind; return how many events were added to the inbox."""
        added = await self._fill_gaps()
        await self._learn_phones()
        await self._read_back()
        return added

    async def _fill_gaps(self) -> int:
        timings = self._settings.timings
        async with self._database.system() as connection:
            rows = await connection.execute(
                _TAKE,
                {
                    "check_s": timings.reconcile_check_s,
                    "every_s": timings.reconcile_s,
                    "silence_s": timings.silence_s,
                    "channels_max": _CHANNELS_PER_PASS,
                },
            )
            taken = rows.all()
        added = 0
        for channel in taken:
            try:
                added += await self._fill(channel)
            except ProviderError as error:
                log.info(
                    "a number's messages could not be listed",
                    extra={"channelId": channel.channel_id, "status": error.status_code or 0},
                )
        return added

    async def _fill(self, channel: Any) -> int:
        access = self._access(channel)
        added = 0
        since_s = channel.from_s - _OVERLAP_S
        async for listed in recent_messages(self._history, access, since_s=since_s):
            deliveries = [d for m in listed if (d := _delivery(channel, m)) is not None]
            for first in range(0, len(deliveries), _STORED_TOGETHER):
                together = deliveries[first : first + _STORED_TOGETHER]
                added += len(await store(self._database, together))
        async with self._database.system() as connection:
            await connection.execute(
                _DONE,
                {
                    "tenant_id": channel.tenant_id,
                    "channel_id": channel.channel_id,
                    "now_s": channel.now_s,
                },
            )
        if added:
            log.info(
                "messages listed for a number",
                extra={"channelId": channel.channel_id, "count": added},
            )
        return added

    async def _learn_phones(self) -> None:
        """Ask once for the phone behind each new hidden number; the normaliser merges."""
        async with self._database.system() as connection:
            values = {"addresses_max": _CHANNELS_PER_PASS}
            lids = (await connection.execute(_UNCHECKED_LIDS, values)).all()
        for row in lids:
            try:
                phone = await self._history.phone_of_lid(self._access(row), row.address)
            except ProviderError:
                continue
            if phone is not None:
                await store(self._database, [_identity(row, phone)])

    async def _read_back(self) -> None:
        async with self._database.system() as connection:
            parts = (
                await connection.execute(
                    _UNKNOWN_PARTS,
                    {"checks_max": _READ_BACKS_MAX, "every_s": self._settings.timings.read_back_s},
                )
            ).all()
        for part in parts:
            try:
                await self._read_back_one(part)
            except ProviderError as error:
                log.info(
                    "a send could not be read back",
                    extra={"partId": part.id, "status": error.status_code or 0},
                )

    async def _read_back_one(self, part: Any) -> None:
        fault_point("reconcile.before_lookup")
        listed = await self._history.list_messages(
            self._access(part),
            since_s=part.started_s - 5,
            limit=_PAGE,
            offset=0,
            chat=part.address,
        )
        wa_id = _find_sent(listed, part)
        if wa_id is None:
            return
        async with self._database.system() as connection:
            await lock_conversation(connection, part.tenant_id, part.id)
            values = {"tenant_id": part.tenant_id, "id": part.id, "wa_id": wa_id}
            if not (await connection.execute(_BIND, values)).rowcount:
                return
            await settle_unknown(connection, part.tenant_id, part.id, "read_back")
            fault_point("reconcile.before_commit")

    def _access(self, row: Any) -> ChannelAccess:
        return channel_access(row, self._settings, self._keyring)


async def force(database: Database) -> None:
    """Have every number compared soon: this door was closed for a while."""
    async with database.system() as connection:
        await connection.execute(_FORCE)


def _delivery(channel: Any, message: Mapping[str, Any]) -> Delivery | None:
    """Wrap a listed message as the event that its webhook would have been."""
    raw_id = message.get("id")
    found = parse_message_id(raw_id) if isinstance(raw_id, str) else None
    if found is None:
        return None
    body = {"event": "message.any", "session": channel.session, "payload": message}
    return _wrap(channel, f"listed\0{found.bare}\0{found.from_me}", "message.any", body)


def _identity(row: Any, phone: str) -> Delivery:
    body = {
        "event": "parley.identity",
        "session": row.session,
        "payload": {"lid": row.address, "phone": phone},
    }
    return _wrap(row, f"identity\0{row.address}\0{phone}", "parley.identity", body)


def _wrap(row: Any, name: str, event: str, body: Mapping[str, Any]) -> Delivery:
    return Delivery(
        tenant_id=row.tenant_id,
        channel_id=row.channel_id,
        key=hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16],
        inbox_id=ids.uuid7(),
        event=event,
        body=msgspec.json.encode(body),
        request_id=ids.request_id(),
    )


def _find_sent(listed: Sequence[Mapping[str, Any]], part: Any) -> str | None:
    """Find our message among the listed: by its id where we chose it, else by its text."""
    for message in listed:
        raw_id = message.get("id")
        found = parse_message_id(raw_id) if isinstance(raw_id, str) else None
        if found is None or message.get("fromMe") is not True:
            continue
        if found.bare in {part.client_message_id, part.wa_id}:
            return found.bare
        # A file without words looks like any other: that it is one has to fit at least.
        same = (message.get("body") or "") == (part.body or "")
        if same and (part.kind != "text") == bool(message.get("hasMedia")):
            return found.bare
    return None
