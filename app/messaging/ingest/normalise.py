"""From raw events to messages and turns: what was accepted at the door is understood here.

Runs in workers, many events a transaction, each in one of these ways: a new message joins a
conversation and a turn; an echo or an ack is evidence for a send; an owner's message takes
the conversation over; session, edit, delete and typing events are noted; the rest is
ignored with a reason. A batch that fails is taken apart, so that one event that cannot be
read holds nobody up; after five attempts it is set aside as ``failed``.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import (
    AckEvent,
    ChatKind,
    EditEvent,
    Envelope,
    Event,
    IdentityEvent,
    IgnoredEvent,
    MessageEvent,
    PresenceEvent,
    RevokeEvent,
    SessionEvent,
)
from app.channels.waha.parse import parse_envelope, parse_event
from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.db.rows import as_rows
from app.core.errors import FaultInjectedError
from app.core.faults import fault_point
from app.core.json import NotAnObjectError, TooDeepError, decode_object
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from app.messaging import contacts, messages, opting
from app.messaging.ingest import inbound, outbound, overtaking, queries
from app.messaging.ingest.items import Item
from app.messaging.media.models import KINDS
from app.messaging.numbers.campaigns import Scan, note_scans
from app.messaging.numbers.statuses import Told, note_statuses
from app.messaging.sends import evidence
from app.messaging.sends.evidence import Consequence
from app.messaging.states import Notice
from app.messaging.turns.ending import close_holds
from app.messaging.turns.opening import lock_live, note_typing
from billing.ledger.schemas import CloseRequest

log = logging.getLogger(__name__)

BATCH_MAX = 200
_ATTEMPTS_MAX = 5
_DIRECT = {ChatKind.PHONE, ChatKind.LID}
_EMPTY_ENVELOPE = Envelope("unknown", None, None, None, None)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one call did.

    ``more`` is True when the work list was not empty at its end, ``files`` when a message came
    with a file that is to be fetched.
    """

    events: int
    more: bool
    files: bool = False


@dataclass(frozen=True, slots=True)
class _Done:
    """A batch in its transaction: did a file come with it, and what has to follow the commit."""

    files: bool = False
    consequences: Sequence[Consequence] = ()


async def drain_once(database: Database, settings: Settings) -> Drained:
    """Normalise one batch of pending events.

    A database that goes away is an error of the call and no attempt of any event.
    """
    rows: Sequence[Any] = ()
    done = _Done()
    try:
        async with database.system() as connection:
            rows = (await connection.execute(queries.CLAIM, {"batch_max": BATCH_MAX})).all()
            if rows:
                done = await _process(connection, settings, rows)
                fault_point("normalise.before_commit")
    except Exception as error:
        if not rows or isinstance(error, FaultInjectedError) or is_away(error):
            raise
        log.exception("a batch of events failed", extra={"errorType": type(error).__name__})
        done = await _one_by_one(database, settings, rows)
    fault_point("normalise.after_commit")
    await evidence.follow(database, done.consequences)
    return Drained(len(rows), more=len(rows) == BATCH_MAX, files=done.files)


async def _one_by_one(database: Database, settings: Settings, rows: Sequence[Any]) -> _Done:
    files = False
    consequences: list[Consequence] = []
    for row in rows:
        key = {"tenant_id": row.tenant_id, "channel_id": row.channel_id, "key": row.key}
        try:
            async with database.system() as connection:
                found = (await connection.execute(queries.CLAIM_ONE, key)).all()
                one = await _process(connection, settings, found) if found else _Done()
        except Exception as error:
            if is_away(error):
                raise
            with bind(request_id=row.request_id, tenant_id=row.tenant_id):
                log.exception(
                    "an event failed",
                    extra={"errorType": type(error).__name__, "event": "failed"},
                )
                capture(error)
            async with database.system() as connection:
                await connection.execute(queries.FAIL, {**key, "attempts_max": _ATTEMPTS_MAX})
        else:
            files = files or one.files
            consequences += one.consequences
    return _Done(files, consequences)


async def _process(connection: AsyncConnection, settings: Settings, rows: Sequence[Any]) -> _Done:
    """Do all that a batch of events asks for in its transaction."""
    channels = await _channels(connection, settings, rows)
    items = [_read(row, channels.get(row.channel_id)) for row in rows]
    await overtaking.lock(connection, items)
    await _note_channels(connection, items)
    # One order of locks everywhere: conversations, parts, turns, wallets.
    direct = [i for i in items if isinstance(i.event, MessageEvent) and not i.outcome]
    typed, echoes = await outbound.split(connection, [i for i in direct if i.message.from_me])
    received = [i for i in direct if not i.message.from_me]
    fresh = await inbound.unknown_ones(connection, [*received, *typed])
    freed = await _learn_identities(connection, settings, items)
    threads, of_merged = await inbound.open_threads(connection, settings.timings, fresh)
    freed += of_merged
    own_acks = [i for i in items if isinstance(i.event, AckEvent) and i.event.from_me]
    consequences = await evidence.note(connection, own_acks, echoes)
    written = [i for i in fresh if not i.message.from_me]
    leaving = [i for i in written if i.opting is Notice.OPTED_OUT]
    if leaving or len(written) < len(fresh):
        await lock_live(connection, {(t.key.tenant_id, t.id) for t in threads.values()})
    await inbound.process(connection, settings.timings, written, threads)
    typed = [i for i in fresh if i.message.from_me]
    # Wallets last, tenant by tenant: whoever holds several took them in this order.
    tenants = {i.tenant_id for i in [*typed, *leaving]} | {c.tenant_id for c in consequences}
    tenants |= {hold.tenant_id for hold in freed}
    for tenant_id in sorted(tenants):
        of_tenant = [i for i in typed if i.tenant_id == tenant_id]
        await outbound.process(connection, of_tenant, threads)
        leavers = [i for i in leaving if i.tenant_id == tenant_id]
        await opting.take_back_replies(connection, settings, leavers, threads)
        await evidence.refund(connection, [c for c in consequences if c.tenant_id == tenant_id])
        await close_holds(connection, [hold for hold in freed if hold.tenant_id == tenant_id])
    await _note_changes(connection, items, fresh)
    await _note_typing(connection, items)
    await note_scans(
        connection,
        [
            Scan(i.tenant_id, threads[id(i)].key.contact_id, i.channel_id, i.message.body)
            for i in fresh
            if not i.message.from_me
        ],
    )
    finished = as_rows(
        {
            "tenant_id": i.tenant_id,
            "channel_id": i.channel_id,
            "key": i.key.hex(),
            "outcome": i.outcome or "processed",
        }
        for i in items
    )
    await connection.execute(queries.FINISH, {"rows": finished})
    return _Done(any(i.message.kind.value in KINDS for i in fresh), consequences)


async def _channels(
    connection: AsyncConnection, settings: Settings, rows: Sequence[Any]
) -> dict[Any, Any]:
    timings = settings.timings
    found = await connection.execute(
        queries.CHANNELS,
        {
            "ids": list({row.channel_id for row in rows}),
            "idle_s": timings.idle_s,
            "cap_s": timings.cap_s,
            "answer_max_age_s": timings.answer_max_age_s,
        },
    )
    return {channel.id: channel for channel in found}


def _read(row: Any, channel: Any) -> Item:
    envelope = _EMPTY_ENVELOPE
    event: Event = IgnoredEvent("channel_gone")
    if channel is not None and row.body is not None:
        try:
            body = decode_object(bytes(row.body), known=True)
        except (TooDeepError, NotAnObjectError):
            event = IgnoredEvent("unreadable")
        else:
            envelope, event = parse_envelope(body, channel.now), parse_event(body, channel.now)
    # Listed messages (reconcile) come without WAHA's word on whose the session is.
    own = {*envelope.own_addresses, *((channel.own_address,) if channel is not None else ())}
    if isinstance(event, MessageEvent) and event.alternate in own:
        # Engines have named the sender of our own messages there: everyone would become one.
        event = replace(event, alternate=None)
    item = Item(
        tenant_id=row.tenant_id,
        channel_id=row.channel_id,
        key=row.key,
        request_id=row.request_id or "",
        channel=channel,
        envelope=envelope,
        event=event,
    )
    item.outcome = _ignored(event, own)
    return item


def _ignored(event: Event, own_addresses: Collection[str | None]) -> str | None:
    """Return why an event needs nothing, or None."""
    if isinstance(event, IgnoredEvent):
        return f"ignored_kind:{event.reason}"
    if isinstance(event, MessageEvent):
        if event.chat_kind not in _DIRECT:
            return f"ignored_kind:{event.chat_kind.value}"
        if event.chat in own_addresses:
            return "ignored_kind:own_number"
    return None


async def _note_channels(connection: AsyncConnection, items: Sequence[Item]) -> None:
    """Keep what events tell of the number: its engine, whose it is, its status."""
    changed: dict[Any, dict[str, Any]] = {}
    owners = _newest_owners(items)
    for item in items:
        channel, envelope = item.channel, item.envelope
        if channel is None:
            continue
        told = {"engine": envelope.engine, "engine_version": envelope.engine_version}
        if owners.get(item.channel_id) is envelope:
            told |= {"own_address": envelope.own_addresses[0], "own_name": envelope.own_name}
        news = {k: v for k, v in told.items() if v is not None and v != getattr(channel, k)}
        if news or channel.quiet:
            base = {"tenant_id": item.tenant_id, "id": item.channel_id}
            changed.setdefault(item.channel_id, base).update(news)
    told_status = [
        Told(i.tenant_id, i.channel_id, i.event.status, i.event.at_ms)
        for i in items
        if isinstance(i.event, SessionEvent) and i.channel is not None
    ]
    written = {(row["tenant_id"], row["id"]) for row in changed.values()}
    written |= {(told.tenant_id, told.channel_id) for told in told_status}
    if written:
        tenants, ids = zip(*written, strict=True)
        locked = {"tenants": list(tenants), "ids": list(ids)}
        await connection.execute(queries.LOCK_CHANNELS, locked)
    if changed:
        rows = as_rows(
            {**changed[key], "owned_ms": owners[key].at_ms if key in owners else None}
            for key in sorted(changed)
        )
        await connection.execute(queries.TOUCH_CHANNEL, {"rows": rows})
    await note_statuses(connection, told_status)


def _newest_owners(items: Sequence[Item]) -> dict[Any, Envelope]:
    """Return the newest word on whose each channel is: a phone's last events may come late."""
    newest: dict[Any, Envelope] = {}
    for item in items:
        envelope = item.envelope
        known = newest.get(item.channel_id, envelope)
        if envelope.own_addresses and (envelope.at_ms or 0) >= (known.at_ms or 0):
            newest[item.channel_id] = envelope
    return newest


async def _learn_identities(
    connection: AsyncConnection, settings: Settings, items: Sequence[Item]
) -> list[CloseRequest]:
    """Join addresses that WAHA knows to be one person; the holds that this freed."""
    pairs = [
        contacts.Sighting(item.tenant_id, item.event.lid, item.event.phone, None)
        for item in items
        if isinstance(item.event, IdentityEvent)
    ]
    if not pairs:
        return []
    _, freed = await contacts.resolve(connection, pairs, settings.timings)
    return freed


async def _note_changes(
    connection: AsyncConnection, items: Sequence[Item], fresh: Sequence[Item]
) -> None:
    """Change messages as their authors did; ``fresh`` ones may have been overtaken by that."""
    edits: dict[tuple[object, ...], dict[str, object]] = {}
    revokes: list[dict[str, object]] = []
    overtook = await overtaking.find(connection, fresh)
    told = [(i.tenant_id, i.channel_id, i.event) for i in items]
    for tenant_id, channel_id, event in [*overtook, *told]:
        base = {"tenant_id": tenant_id, "channel_id": channel_id}
        if isinstance(event, EditEvent):
            direction = "out" if event.from_me else "in"
            changed = {**base, "wa_id": event.wa_id, "direction": direction}
            edits[*changed.values()] = {**changed, "body": event.body}  # the last one counts
        elif isinstance(event, RevokeEvent):
            revokes.append({**base, "wa_id": event.wa_id})
    await messages.edit(connection, list(edits.values()))
    await messages.revoke(connection, revokes)
    await overtaking.keep(connection, items)


async def _note_typing(connection: AsyncConnection, items: Sequence[Item]) -> None:
    typing = [
        {
            "tenant_id": item.tenant_id,
            "channel_id": item.channel_id,
            "address": item.event.chat,
            "idle_s": item.channel.idle_s,
            "cap_s": item.channel.cap_s,
        }
        for item in items
        if isinstance(item.event, PresenceEvent) and item.event.composing
    ]
    await note_typing(connection, typing)
