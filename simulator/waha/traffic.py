"""Messages both ways: customers write, the product sends, the owner types, acks come back."""

import asyncio
from dataclasses import dataclass
from typing import Any

from simulator.clock import now_ms
from simulator.ids import api_message_id, event_id, phone_message_id
from simulator.live import LiveUpdates
from simulator.waha.engine import Engine
from simulator.waha.events import EventEmitter
from simulator.waha.history import READ_TICKS, History, Media, Message
from simulator.waha.payloads import ACK_NAMES, ack_payload, message_payload
from simulator.waha.sessions import Session

ACK_STEP_S = 0.12
BACKLOG_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What somebody writes on a phone.

    `chat_id` puts it into another chat than the direct one (a group, a channel); `copies` is how
    often each webhook delivers the events.
    """

    phone: str
    text: str | None = None
    media: Media | None = None
    push_name: str | None = None
    as_lid: bool = False
    chat_id: str | None = None
    reply_to: str | None = None
    copies: int = 1


class Traffic:
    """Puts messages on phones and tells WAHA's webhooks about them."""

    def __init__(
        self,
        *,
        engine: Engine,
        history: History,
        events: EventEmitter,
        live: LiveUpdates,
        base_url: str,
    ) -> None:
        self._engine = engine
        self._history = history
        self._events = events
        self._live = live
        self._base_url = base_url
        self._backlog: dict[str, list[tuple[Message, int]]] = {}
        self.ack_mode = "normal"

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as the present engine shapes it."""
        return message_payload(message, self._engine, self._base_url)

    def customer_writes(self, session: Session, writing: Writing) -> tuple[Message, str | None]:
        """A customer's message arrives; returns it and its `message` event's id.

        While the session does not work the message waits, as it does at WhatsApp's servers, and
        comes in a burst when the session works again; the event id is None then.
        """
        lid = self._history.meet(writing.phone)
        address = f"{lid}@lid" if writing.as_lid else f"{writing.phone}@c.us"
        chat_id = writing.chat_id or address
        message = self._message(session, writing, chat_id, author="customer", source="app")
        if writing.chat_id:
            message.sender = address
        message.push_name = writing.push_name or f"Customer {writing.phone[-4:]}"
        message.ack = 2
        self._show(message)
        if session.status != "WORKING":
            waiting = self._backlog.setdefault(session.name, [])
            waiting.append((message, writing.copies))
            del waiting[:-BACKLOG_MAX]
            return message, None
        return message, self._announce(session, message, writing.copies)

    def owner_writes(self, session: Session, writing: Writing) -> tuple[Message, str]:
        """The owner types to a customer on the paired phone; only `message.any` tells of it."""
        lid = self._history.meet(writing.phone)
        chat_id = f"{lid}@lid" if writing.as_lid else f"{writing.phone}@c.us"
        message = self._message(session, writing, chat_id, author="owner", source="app")
        message.ack = 1
        self._show(message)
        event = self._emit(session, "message.any", message, copies=writing.copies)
        self._acknowledge_later(session, message, start=2)
        return message, event

    def send(
        self,
        session: Session,
        chat_id: str,
        *,
        text: str | None,
        media: Media | None = None,
        client_id: str | None = None,
        reply_to: str | None = None,
    ) -> Message:
        """The product sends; the same client-chosen id again changes nothing and shows once."""
        chat_id = normal_chat_id(chat_id)
        keeps = bool(client_id) and self._engine.keeps_client_ids and media is None
        if keeps and client_id:
            earlier = self._history.find(session.name, client_id)
            if earlier:
                return earlier
        message = Message(
            id=client_id if keeps and client_id else api_message_id(),
            session=session.name,
            phone=self._history.phone_of_chat(chat_id),
            chat_id=chat_id,
            author="assistant",
            text=text,
            at_ms=now_ms(),
            source="api",
            me=(session.me or {}).get("id"),
            media=media,
            reply_to=reply_to,
        )
        session.activity_ms = message.at_ms
        self._history.typing.discard(message.phone)
        self._show(message)
        self._emit(session, "message.any", message)
        self._acknowledge_later(session, message, start=1)
        return message

    def seen(self, session: Session, chat_id: str, bare_ids: set[str]) -> list[str]:
        """The business read a chat: the customer's ticks turn; returns the full ids."""
        phone = self._history.phone_of_chat(normal_chat_id(chat_id))
        read = []
        for message in self._history.on_phone(phone):
            if message.from_me or message.session != session.name or message.ack >= READ_TICKS:
                continue
            if bare_ids and message.id not in bare_ids:
                continue
            message.ack = READ_TICKS
            read.append(message.full_id)
        if read:
            self._live.publish("ticks", phone)
        return read

    def typing(self, chat_id: str, *, active: bool) -> None:
        """Show or hide "typing" on the customer's phone."""
        phone = self._history.phone_of_chat(normal_chat_id(chat_id))
        (self._history.typing.add if active else self._history.typing.discard)(phone)
        self._live.publish("typing", phone)

    def react(self, session: Session, bare_id: str, reaction: str) -> Message | None:
        """Put a reaction on a message (empty: take it away)."""
        message = self._history.find(session.name, bare_id)
        if message:
            message.reaction = reaction or None
            self._live.publish("reaction", message.phone)
        return message

    def presence(self, session: Session, phone: str, state: str, *, as_lid: bool) -> str:
        """A customer's presence changes; returns the event's id."""
        lid = self._history.meet(phone)
        chat_id = f"{lid}@lid" if as_lid else f"{phone}@c.us"
        presence: dict[str, Any] = {"participant": chat_id, "lastKnownPresence": state}
        if state == "offline":
            presence["lastSeen"] = now_ms() // 1000
        payload = {"id": chat_id, "presences": [presence]}
        return self._events.emit(session, "presence.update", payload, chat_id=chat_id)

    def deliver_backlog(self, session: Session) -> None:
        """Deliver what came while the session did not work."""
        for message, copies in self._backlog.pop(session.name, []):
            self._announce(session, message, copies)

    def forget(self) -> int:
        """Forget all phones; returns how many messages there were."""
        self._backlog.clear()
        gone = self._history.forget()
        self._live.publish("forgotten")
        return gone

    def _message(
        self, session: Session, writing: Writing, chat_id: str, *, author: Any, source: str
    ) -> Message:
        return Message(
            id=phone_message_id(),
            session=session.name,
            phone=self._history.phone_of_chat(chat_id),
            chat_id=chat_id,
            author=author,
            text=writing.text,
            at_ms=now_ms(),
            source=source,
            me=(session.me or {}).get("id"),
            media=writing.media,
            reply_to=writing.reply_to,
        )

    def _show(self, message: Message) -> None:
        self._history.add(message)
        self._live.publish("message", message.phone)

    def _announce(self, session: Session, message: Message, copies: int) -> str:
        session.activity_ms = now_ms()
        shared = event_id() if self._engine.shares_event_ids else None
        self._emit(session, "message.any", message, shared, copies)
        return self._emit(session, "message", message, shared, copies)

    def _emit(
        self,
        session: Session,
        event: str,
        message: Message,
        shared_id: str | None = None,
        copies: int = 1,
    ) -> str:
        return self._events.emit(
            session,
            event,
            self.payload(message),
            event_id=shared_id,
            chat_id=message.chat_id,
            copies=copies,
        )

    def _acknowledge_later(self, session: Session, message: Message, *, start: int) -> None:
        if self.ack_mode == "never":
            return
        if self.ack_mode == "error":
            acks = [-1] if self._engine.reports_send_errors else []
        else:
            acks = list(range(start, READ_TICKS + 1))
        loop = asyncio.get_running_loop()
        for step, ack in enumerate(acks, 1):
            loop.call_later(ACK_STEP_S * step, self._acknowledge, session, message, ack)

    def _acknowledge(self, session: Session, message: Message, ack: int) -> None:
        if session.status != "WORKING" or ack not in ACK_NAMES:
            return
        message.ack = ack
        self._live.publish("ticks", message.phone)
        payload = ack_payload(message, ack, self._engine)
        self._events.emit(session, "message.ack", payload, chat_id=message.chat_id)


def normal_chat_id(chat_id: str) -> str:
    """A chat id as WAHA normalises it: bare digits and the internal form become `…@c.us`."""
    if "@" not in chat_id:
        return f"{chat_id.removeprefix('+')}@c.us"
    if chat_id.endswith("@s.whatsapp.net"):
        return f"{chat_id.partition('@')[0].partition(':')[0]}@c.us"
    return chat_id
