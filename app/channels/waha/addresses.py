"""WhatsApp addresses and message ids in WAHA's many spellings, each to one form.

Facts: chat ids end in ``@c.us`` (phone), ``@s.whatsapp.net`` (the same, internal), ``@lid``
(hidden number), ``@g.us``, ``@newsletter``, ``@broadcast``; a device suffix ``:NN`` or
``.N:NN`` (with whatsmeow's agent) may stand before the ``@``. A message id is
``{true|false}_{chat}_{ID}[_{participant}]``; only the ID part is constant over spellings.
"""

from dataclasses import dataclass

from app.channels.port import ChatKind

_ADDRESS_CHARS_MAX = 128
_ID_CHARS_MAX = 128
_ID_PARTS_MIN = 3


def normalise_address(raw: str) -> str:
    """Return ``<user>@<server>`` with ``c.us`` for phones and without a device suffix.

    A string without ``@`` that consists of digits is a phone. Anything else is returned
    lower-cased, so that it at least compares equal to itself.
    """
    text = raw.strip().lower()[:_ADDRESS_CHARS_MAX]
    user, at, server = text.partition("@")
    user = user.partition(":")[0]
    if not at:
        digits = user.removeprefix("+")
        return f"{digits}@c.us" if digits.isascii() and digits.isdigit() else text
    if server == "s.whatsapp.net":
        server = "c.us"
    if server in {"c.us", "lid"}:
        user = user.partition(".")[0]
    return f"{user}@{server}"


def chat_kind(address: str) -> ChatKind:
    """Tell what a normalised address stands for."""
    user, _, server = address.partition("@")
    if server == "c.us" and user.isascii() and user.isdigit() and user.strip("0"):
        return ChatKind.PHONE
    if server == "lid" and user.isascii() and user.isdigit():
        return ChatKind.LID
    return {
        "g.us": ChatKind.GROUP,
        "newsletter": ChatKind.NEWSLETTER,
        "broadcast": ChatKind.BROADCAST,
    }.get(server, ChatKind.OTHER)


@dataclass(frozen=True, slots=True)
class MessageId:
    """A message id taken apart; ``from_me`` and ``chat`` are None when it was bare."""

    bare: str
    from_me: bool | None
    chat: str | None


def parse_message_id(raw: str) -> MessageId | None:
    """Take a serialised or bare message id apart; None when there is no usable ID in it."""
    parts = raw.strip().split("_")
    if len(parts) >= _ID_PARTS_MIN and parts[0] in {"true", "false"}:
        bare, from_me, chat = parts[2], parts[0] == "true", normalise_address(parts[1])
    elif len(parts) == _ID_PARTS_MIN - 1 and "@" in parts[0]:
        # Some acks of NOWEB leave the direction out.
        bare, from_me, chat = parts[1], None, normalise_address(parts[0])
    else:
        bare, from_me, chat = raw.strip(), None, None
    if not bare or len(bare) > _ID_CHARS_MAX or not bare.isascii() or not bare.isprintable():
        return None
    if "@" in bare:
        return None  # an address: whatever chat it names, it names no message of it
    return MessageId(bare, from_me, chat)
