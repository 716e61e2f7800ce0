"""Closing gaps: what WAHA knows and we do not, asked for after silence, at start, and hourly.

WAHA retries a webhook for as long as its policy says and forgets it at a restart, and some
engines go silent while their status says WORKING. So each number's recent messages are
listed now and then and put into the inbox under keys of their own; the message's bare id
keeps out what is known. What is older than the tenant's limit is shown, never answered. A
number's cursor moves only when its list was read to its end.

Doubtful sends are read back the same way: a part that was given up as ``unknown`` is settled
when WAHA shows its message; it is never sent again.

One business's WAHA that is slow, away or misconfigured holds up nobody else's.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import text

from app.channels.port import ChannelAccess
from app.channels.waha.addresses import parse_message_id
from app.core import ids
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import FaultInjectedError, ProviderError
from app.core.faults import fault_point
from app.core.observability.sentry import capture
from app.core.outbound import OutboundRefused
from app.messaging.access import channel_access
from app.messaging.history import History, recent_messages
from app.messaging.ingest.storing import Delivery, store
from app.messaging.sends.settling import lock_conversation, settle_unknown

log = logging.getLogger(__name__)

_CHANNELS_PER_PASS = 20
_PAGE = 100
# WhatsApp's clock writes the messages' times and PostgreSQL's the cursor.
_OVERLAP_S = 600
_STORED_TOGETHER = 200
_AT_ONCE = 8
_READ_BACKS_MAX = 6
_READ_BACKS_PER_PASS = 40

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
# Nobody answered: asked again as if the customer had written since.
_NOT_ASKED = text(
    """
    update contact_addresses set checked_at = created_at - interval '1 hour'
    where tenant_id = :tenant_id and address = :address
    """
)
_UNKNOWN_PARTS = text(
    f"""
    with doubtful as (
        select tenant_id, id from send_parts
        where state = 'unknown' and checks < :checks_max
          and coalesce(checked_at, started_at) < now() - make_interval(secs => :every_s)
        order by coalesce(checked_at, started_at) limit :parts_max for update skip locked
    )
    update send_parts p set checks = p.checks + 1, checked_at = now()
    from doubtful d, sends s, channels c, messages m
    where p.tenant_id = d.tenant_id and p.id = d.id
      and s.tenant_id = p.tenant_id and s.id = p.send_id
      and c.tenant_id = p.tenant_id and c.id = p.channel_id
      and m.tenant_id = p.tenant_id and m.id = p.message_id
    returning p.id, s.address, m.body, m.kind, p.client_message_id, p.wa_id,
              extract(epoch from p.started_at)::float8 as started_s, {_ACCESS}
    """  # noqa: S608
)
# A list that could not be had proves nothing: it costs no check while the credits are held.
_NOT_CHECKED = text(
    """
    update send_parts set checks = checks - 1
    where tenant_id = :tenant_id and id = :id and checks > 0
      and started_at > now() - interval '1 day'
    """
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
        return sum(await _each(taken, self._fill, "a number's messages could not be listed"))

    async def _fill(self, channel: Any) -> int:
        access = self._access(channel)
        added = 0
        since_s = channel.from_s - _OVERLAP_S
        async for listed in recent_messages(
            self._history, access, since_s=since_s, now_s=channel.now_s
        ):
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
        """Ask for the phone behind each new hidden number; the normaliser merges."""
        async with self._database.system() as connection:
            values = {"addresses_max": _CHANNELS_PER_PASS}
            lids = (await connection.execute(_UNCHECKED_LIDS, values)).all()
        await _each(lids, self._learn_phone, "a hidden number's phone could not be asked for")

    async def _learn_phone(self, row: Any) -> int:
        try:
            phone = await self._history.phone_of_lid(self._access(row), row.address)
        except (ProviderError, OutboundRefused):
            async with self._database.system() as connection:
                values = {"tenant_id": row.tenant_id, "address": row.address}
                await connection.execute(_NOT_ASKED, values)
            raise
        return len(await store(self._database, [_identity(row, phone)])) if phone else 0

    async def _read_back(self) -> None:
        async with self._database.system() as connection:
            values = {
                "checks_max": _READ_BACKS_MAX,
                "every_s": self._settings.timings.read_back_s,
                "parts_max": _READ_BACKS_PER_PASS,
            }
            parts = (await connection.execute(_UNKNOWN_PARTS, values)).all()
        await _each(parts, self._read_back_one, "a send could not be read back")

    async def _read_back_one(self, part: Any) -> int:
        fault_point("reconcile.before_lookup")
        key = {"tenant_id": part.tenant_id, "id": part.id}
        try:
            listed = await self._history.list_messages(
                self._access(part),
                since_s=part.started_s - 5,
                limit=_PAGE,
                offset=0,
                chat=part.address,
            )
        except (ProviderError, OutboundRefused):
            async with self._database.system() as connection:
                await connection.execute(_NOT_CHECKED, key)
            raise
        async with self._database.system() as connection:
            await lock_conversation(connection, part.tenant_id, part.id)
            for wa_id in _candidates(listed, part):
                if (await connection.execute(_BIND, {**key, "wa_id": wa_id})).rowcount:
                    await settle_unknown(connection, part.tenant_id, part.id, "read_back")
                    fault_point("reconcile.before_commit")
                    return 1
        return 0

    def _access(self, row: Any) -> ChannelAccess:
        return channel_access(row, self._settings, self._keyring)


async def _each(
    rows: Sequence[Any], work: Callable[[Any], Awaitable[int]], failed: str
) -> list[int]:
    """Do a work for each row, several at once; what fails for one is told and stays its own."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Any) -> int:
        async with places:
            return await work(row)

    outcomes = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    done: list[int] = []
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, int):
            done.append(outcome)
        elif isinstance(outcome, FaultInjectedError) or is_away(outcome):
            raise outcome
        elif isinstance(outcome, Exception):
            _tell(row, outcome, failed)
        else:
            raise outcome
    return done


def _tell(row: Any, error: Exception, failed: str) -> None:
    fields = {"channelId": row.channel_id, "errorType": type(error).__name__}
    if isinstance(error, ProviderError | OutboundRefused):
        log.info(failed, extra={**fields, "status": getattr(error, "status_code", None) or 0})
    else:
        log.warning(failed, extra=fields)
        capture(error, tenant_id=row.tenant_id)


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


def _candidates(listed: Sequence[Mapping[str, Any]], part: Any) -> Iterator[str]:
    """Name the listed messages that may be ours: the one with our id, else by text, oldest first.

    The same words may stand there twice, and one of them may be another part's.
    """
    alike: list[str] = []
    for message in listed:
        raw_id = message.get("id")
        found = parse_message_id(raw_id) if isinstance(raw_id, str) else None
        if found is None or message.get("fromMe") is not True:
            continue
        if found.bare in {part.client_message_id, part.wa_id}:
            yield found.bare
        # A file without words looks like any other: that it is one has to fit at least.
        same = (message.get("body") or "") == (part.body or "")
        if same and (part.kind != "text") == bool(message.get("hasMedia")):
            alike.append(found.bare)
    yield from reversed(alike)
