"""What a channel gives the message path, whatever stands behind it: events, and a sender."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class ChatKind(StrEnum):
    """What a chat address stands for. Only ``phone`` and ``lid`` are direct chats."""

    PHONE = "phone"
    LID = "lid"
    GROUP = "group"
    NEWSLETTER = "newsletter"
    BROADCAST = "broadcast"
    OTHER = "other"


class ContentKind(StrEnum):
    """What a message carries."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A message seen on the channel, in either direction.

    ``chat`` and ``alternate`` are normalised addresses of the other side; ``wa_id`` is the
    bare WhatsApp id, equal over all spellings of one message.
    """

    wa_id: str
    chat: str
    chat_kind: ChatKind
    from_me: bool
    via_api: bool
    kind: ContentKind
    body: str | None
    sent_at: datetime
    push_name: str | None = None
    alternate: str | None = None
    reply_to: str | None = None
    media: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AckEvent:
    """How far one of our messages came: -1 error, 1 server, 2 device, 3 read, 4 played."""

    wa_id: str
    chat: str
    from_me: bool
    level: int


@dataclass(frozen=True, slots=True)
class EditEvent:
    """A message's text was changed by its author."""

    wa_id: str
    from_me: bool
    body: str


@dataclass(frozen=True, slots=True)
class RevokeEvent:
    """A message was deleted for everyone."""

    wa_id: str


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """The number's connection changed its state; ``at_ms`` is when, on the channel's clock."""

    status: str
    own_address: str | None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """The other side of a chat types, records, or stopped."""

    chat: str
    composing: bool


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """Two addresses turned out to be one person (from WAHA's own mapping, asked by us)."""

    lid: str
    phone: str


@dataclass(frozen=True, slots=True)
class IgnoredEvent:
    """Nothing to do; the reason is a stable word."""

    reason: str


Event = (
    MessageEvent
    | AckEvent
    | EditEvent
    | RevokeEvent
    | SessionEvent
    | PresenceEvent
    | IdentityEvent
    | IgnoredEvent
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every event tells about its channel; ``at_ms`` is when, on the channel's clock."""

    event: str
    session: str | None
    body_id: str | None
    engine: str | None
    engine_version: str | None
    own_addresses: tuple[str, ...] = ()
    own_name: str | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelAccess:
    """What a sender needs to know of a channel. The key is clear text: never log this."""

    channel_id: UUID
    api_url: str
    api_key: str = field(repr=False)
    session: str
    guarded: bool
    engine: str | None
    engine_version: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes out. ``kind`` is image, audio, video or document."""

    kind: str
    content_type: str
    name: str
    data: bytes = field(repr=False)


class MediaSource(Protocol):
    """Hands out the files of messages. Failures are ProviderError."""

    async def fetch_media(self, access: ChannelAccess, url: str, *, bytes_max: int) -> bytes:
        """Return a file's bytes; OutboundRefused when it is too large or must not be asked for."""
        ...

    async def media_url(self, access: ChannelAccess, message_id: str, chat: str) -> str | None:
        """Have a message's file downloaded again; its address, None where that is impossible."""
        ...


class Sender(Protocol):
    """Speaks on a channel. Failures are ProviderError, which tells what may have happened."""

    def honours_client_id(self, access: ChannelAccess) -> bool:
        """Tell whether a resend with the same client-chosen id is harmless."""
        ...

    async def mark_seen(self, access: ChannelAccess, chat: str) -> None:
        """Show the customer that the messages were read."""
        ...

    async def set_typing(self, access: ChannelAccess, chat: str, *, on: bool) -> None:
        """Show or clear "typing…"."""
        ...

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        """Send a text; return the bare message id, or None when the answer told none."""
        ...

    async def send_media(
        self, access: ChannelAccess, chat: str, attachment: Attachment, caption: str | None
    ) -> str | None:
        """Send a file; return the bare message id, or None when the answer told none.

        Nobody can choose the id of a file's message: whether a lost answer's file arrived is
        only known by its echo or ack.
        """
        ...
