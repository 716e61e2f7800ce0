"""One event of a batch, as it passes through the normaliser."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.channels.port import Envelope, Event, MessageEvent
from app.messaging.states import Notice


@dataclass(slots=True)
class Item:
    """An event with where it came from; ``outcome`` is set once it is clear.

    ``opting`` is set for the message by which a customer left or came back, ``notice`` for one
    that a fixed text answers.
    """

    tenant_id: UUID
    channel_id: UUID
    key: bytes
    request_id: str
    channel: Any
    envelope: Envelope
    event: Event = field(repr=False)
    outcome: str | None = None
    opting: Notice | None = None
    notice: Notice | None = None

    @property
    def message(self) -> MessageEvent:
        """The event as a message; only for items whose event is one."""
        if not isinstance(self.event, MessageEvent):
            raise TypeError("the event is not a message")
        return self.event


@dataclass(frozen=True, slots=True)
class Echo:
    """One of our own sends, seen on the number."""

    tenant_id: UUID
    part_id: UUID
    wa_id: str
