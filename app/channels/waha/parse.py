"""WAHA's webhook bodies as events of ours. Nothing here raises: odd shapes are ignored."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

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
from app.channels.waha.addresses import MessageId, chat_kind, normalise_address, parse_message_id
from app.channels.waha.content import read_content, read_media
from app.channels.waha.fields import first_text, instant_ms, integer, mapping, moment, text
from app.core.json import decode_object

_NAME_CHARS_MAX = 200
_WORD_CHARS_MAX = 64
_COMPOSING = {"typing", "recording"}


def parse_envelope(body: Mapping[str, Any], now: datetime) -> Envelope:
    """Read what every event tells of its channel; absent parts are None."""
    me, environment = mapping(body.get("me")), mapping(body.get("environment"))
    own = [text(me.get(name), chars_max=128) for name in ("id", "jid", "lid")]
    return Envelope(
        event=text(body.get("event"), chars_max=_WORD_CHARS_MAX) or "unknown",
        session=text(body.get("session"), chars_max=128),
        body_id=text(body.get("id")),
        engine=text(body.get("engine"), chars_max=_WORD_CHARS_MAX),
        engine_version=text(environment.get("version"), chars_max=_WORD_CHARS_MAX),
        own_addresses=tuple(dict.fromkeys(normalise_address(a) for a in own if a)),
        own_name=text(me.get("pushName"), chars_max=_NAME_CHARS_MAX),
        at_ms=instant_ms(body.get("timestamp"), now),
    )


class Head(NamedTuple):
    """What the door has to know of an event: its kind and id, and the session it is of."""

    event: str
    session: str | None
    body_id: str | None


class _HeadFields(msgspec.Struct, gc=False):
    event: Any = None
    session: Any = None
    id: Any = None


_decode_head = msgspec.json.Decoder(_HeadFields).decode


def parse_head(raw: bytes) -> Head:
    """Read an event's head without building the rest of it.

    Raises:
        NotAnObjectError, TooDeepError: as ``decode_object``, for exactly the same bodies.
    """
    head = quick_head(raw)
    if head is None:
        body = decode_object(raw)
        head = _head(_HeadFields(body.get("event"), body.get("session"), body.get("id")))
    return head


def quick_head(raw: bytes) -> Head | None:
    """``parse_head`` where it costs next to nothing; None for what is odd, or no object at all."""
    try:
        # What the decoder passes over it checks for JSON's grammar, but not for UTF-8.
        raw.decode()
        head = _decode_head(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _head(head)


def _head(head: _HeadFields) -> Head:
    return Head(
        event=text(head.event, chars_max=_WORD_CHARS_MAX) or "unknown",
        session=text(head.session, chars_max=128),
        body_id=text(head.id),
    )


def parse_event(body: Mapping[str, Any], now: datetime) -> Event:
    """Read a body as one event; what we do not act on is an IgnoredEvent with its reason."""
    payload = body.get("payload")
    name = body.get("event")
    reader = _READERS.get(name) if isinstance(name, str) else None
    if reader is None:
        return IgnoredEvent("event_kind")
    if not isinstance(payload, Mapping):
        return IgnoredEvent("no_payload")
    return reader(payload, now)


def _message(payload: Mapping[str, Any], now: datetime) -> Event:
    found = _message_id(payload.get("id"))
    if found is None:
        return IgnoredEvent("no_message_id")
    from_me = _from_me(payload, found)
    chat = _chat(payload, found, from_me=from_me)
    kind, body = read_content(payload)
    data = mapping(payload.get("_data"))
    return MessageEvent(
        wa_id=found.bare,
        chat=chat,
        chat_kind=chat_kind(chat),
        from_me=from_me,
        via_api=payload.get("source") == "api",
        kind=kind,
        body=body,
        sent_at=moment(payload.get("timestamp"), now),
        push_name=None if from_me else _push_name(data),
        alternate=_alternate(data, chat, from_me=from_me),
        reply_to=_reply_to(payload),
        media=read_media(payload),
    )


def _message_id(value: object) -> MessageId | None:
    if isinstance(value, Mapping):
        value = value.get("_serialized") or value.get("id")
    return parse_message_id(value) if isinstance(value, str) else None


def _from_me(payload: Mapping[str, Any], found: MessageId) -> bool:
    stated = payload.get("fromMe")
    return stated if isinstance(stated, bool) else bool(found.from_me)


def _chat(payload: Mapping[str, Any], found: MessageId, *, from_me: bool) -> str:
    """Return the other side: the id's second part; from/to only where the id is bare."""
    if found.chat:
        return found.chat
    raw = first_text(*((payload.get("to"), payload.get("from"))[:: 1 if from_me else -1]))
    return normalise_address(raw or "")


def _push_name(data: Mapping[str, Any]) -> str | None:
    info = mapping(data.get("Info"))
    name = first_text(data.get("pushName"), info.get("PushName"), data.get("notifyName"))
    return name[:_NAME_CHARS_MAX] if name else None


def _alternate(data: Mapping[str, Any], chat: str, *, from_me: bool) -> str | None:
    """Return the same person's other address, when the engine hints at it."""
    key, info = mapping(data.get("key")), mapping(data.get("Info"))
    raw = first_text(
        key.get("remoteJidAlt"),
        info.get("RecipientAlt" if from_me else "SenderAlt"),
    )
    address = normalise_address(raw) if raw else chat
    kinds = {chat_kind(address), chat_kind(chat)}
    return address if kinds == {ChatKind.PHONE, ChatKind.LID} else None


def _reply_to(payload: Mapping[str, Any]) -> str | None:
    quoted = _message_id(mapping(payload.get("replyTo")).get("id"))
    return quoted.bare if quoted else None


def _ack(payload: Mapping[str, Any], _now: datetime) -> Event:
    found, level = _message_id(payload.get("id")), integer(payload.get("ack"))
    if found is None or level is None:
        return IgnoredEvent("no_message_id")
    from_me = _from_me(payload, found)
    return AckEvent(found.bare, _chat(payload, found, from_me=from_me), from_me, level)


def _edited(payload: Mapping[str, Any], _now: datetime) -> Event:
    original, body = _message_id(payload.get("editedMessageId")), text(payload.get("body"))
    if original is None or body is None:
        return IgnoredEvent("no_message_id")
    own = _message_id(payload.get("id"))
    return EditEvent(original.bare, bool(own and _from_me(payload, own)), body)


def _revoked(payload: Mapping[str, Any], _now: datetime) -> Event:
    before = mapping(payload.get("before"))
    found = _message_id(payload.get("revokedMessageId")) or _message_id(before.get("id"))
    return RevokeEvent(found.bare) if found else IgnoredEvent("no_message_id")


def _session(payload: Mapping[str, Any], now: datetime) -> Event:
    status = text(payload.get("status"), chars_max=_WORD_CHARS_MAX)
    if status is None:
        return IgnoredEvent("no_status")
    points = payload.get("statuses")
    newest = points[-1] if isinstance(points, list) and points else None
    return SessionEvent(status, None, instant_ms(mapping(newest).get("timestamp"), now))


def _presence(payload: Mapping[str, Any], _now: datetime) -> Event:
    chat = text(payload.get("id"), chars_max=128)
    presences = payload.get("presences")
    if not chat or not isinstance(presences, list):
        return IgnoredEvent("no_presence")
    states = [text(mapping(p).get("lastKnownPresence"), chars_max=32) for p in presences]
    return PresenceEvent(normalise_address(chat), any(state in _COMPOSING for state in states))


def _identity(payload: Mapping[str, Any], _now: datetime) -> Event:
    lid, phone = text(payload.get("lid"), chars_max=128), text(payload.get("phone"), chars_max=128)
    if not lid or not phone:
        return IgnoredEvent("no_identity")
    pair = IdentityEvent(normalise_address(lid), normalise_address(phone))
    kinds = (chat_kind(pair.lid), chat_kind(pair.phone))
    return pair if kinds == (ChatKind.LID, ChatKind.PHONE) else IgnoredEvent("no_identity")


_READERS: dict[str, Callable[[Mapping[str, Any], datetime], Event]] = {
    "message": _message,
    "message.any": _message,
    "message.ack": _ack,
    "message.edited": _edited,
    "message.revoked": _revoked,
    "session.status": _session,
    "presence.update": _presence,
    # Put into the inbox by ourselves (app.messaging.reconcile), from WAHA's own mapping.
    "parley.identity": _identity,
}
