"""What a message carries: text, a place, contact cards, a file, or one of WhatsApp's forms.

WAHA tells of text, places, cards and files in fields of its own. Polls, orders, products and
answers to lists stand in ``_data`` alone, as the engine has them: WhatsApp's own message under
``message`` (NOWEB) or ``Message`` (GOWS), flat fields in WEBJS. They are put into plain words,
so that the assistant and people read what the customer saw.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.channels.port import ContentKind
from app.channels.waha.fields import first_text, integer, mapping, text

_VCARDS_MAX = 10
_PHONES_MAX = 3
_OPTIONS_MAX = 12
_CHARS_MAX = 2_000
_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "documentWithCaptionMessage",
)
_FILES = {
    "stickerMessage": ContentKind.STICKER,
    "sticker": ContentKind.STICKER,
    "imageMessage": ContentKind.IMAGE,
    "image": ContentKind.IMAGE,
    "audioMessage": ContentKind.AUDIO,
    "audio": ContentKind.AUDIO,
    "ptt": ContentKind.AUDIO,
    "videoMessage": ContentKind.VIDEO,
    "video": ContentKind.VIDEO,
    "ptvMessage": ContentKind.VIDEO,
    "ptv": ContentKind.VIDEO,
    "documentMessage": ContentKind.DOCUMENT,
    "document": ContentKind.DOCUMENT,
}


def read_content(payload: Mapping[str, Any]) -> tuple[ContentKind, str | None]:
    """Return a message's kind and its text, None where there is none."""
    location = mapping(payload.get("location"))
    if location:
        # WEBJS puts the map's thumbnail into the body of a location: it is not text.
        return ContentKind.LOCATION, _location_text(location)
    cards = payload.get("vCards")
    if isinstance(cards, list) and cards:
        return ContentKind.CONTACT, _cards_text(cards)
    body = text(payload.get("body"))
    if payload.get("hasMedia") is True or mapping(payload.get("media")):
        return _file_kind(payload), body
    if not body or not body.strip():
        body = _form_text(mapping(payload.get("_data")))
    return (ContentKind.TEXT, body) if body else (ContentKind.EMPTY, None)


def read_media(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a file's address, claimed type and name, as far as they are told."""
    media = mapping(payload.get("media"))
    kept = {
        name: found
        for name in ("url", "mimetype", "filename")
        if (found := text(media.get(name), chars_max=_CHARS_MAX))
    }
    return kept or None


def _location_text(location: Mapping[str, Any]) -> str | None:
    named = [
        found
        for name in ("name", "address", "description")
        if (found := text(location.get(name), chars_max=500))
    ]
    where = [_coordinate(location.get(name)) for name in ("latitude", "longitude")]
    return _joined(", ", [*named, *where])


def _coordinate(value: object) -> str | None:
    """Return degrees as text; WAHA sends strings, and a number is as good."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:32]
    return text(value, chars_max=32)


def _cards_text(cards: list[Any]) -> str:
    return _joined(", ", (_card(c) for c in cards[:_VCARDS_MAX])) or ""


def _card(card: object) -> str:
    """Return a card's name and numbers; ``?`` for one without a name."""
    lines = card.splitlines() if isinstance(card, str) else []
    name = next((line[3:] for line in lines if line.upper().startswith("FN:")), None)
    phones = [line.rpartition(":")[2] for line in lines if line.upper().startswith("TEL")]
    return " ".join([name or "?", *(p for p in phones[:_PHONES_MAX] if p)])


def _file_kind(payload: Mapping[str, Any]) -> ContentKind:
    """Take WhatsApp's own word for the kind where it is told, else the claimed type's."""
    media, data = mapping(payload.get("media")), mapping(payload.get("_data"))
    told = (*_inner(data), text(data.get("type"), chars_max=32) or "")
    known = next((_FILES[word] for word in told if word in _FILES), None)
    mimetype = (text(media.get("mimetype"), chars_max=128) or "").partition("/")[0]
    claimed = {
        "image": ContentKind.IMAGE,
        "video": ContentKind.VIDEO,
        "audio": ContentKind.AUDIO,
    }.get(mimetype)
    return known or claimed or ContentKind.DOCUMENT


def _inner(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return WhatsApp's own message, unwrapped."""
    found = mapping(data.get("message")) or mapping(data.get("Message"))
    for wrapper in _WRAPPERS:
        found = mapping(mapping(found.get(wrapper)).get("message")) or found
    return found


def _form_text(data: Mapping[str, Any]) -> str | None:
    """Put a poll, an order, a product, an invitation or a choice into words."""
    inner = _inner(data)
    for name, told in inner.items():
        reader = _FORMS.get(name.rstrip("V0123456789"))
        if reader and (found := reader(mapping(told))):
            return found
    reader = _FLAT_FORMS.get(text(data.get("type"), chars_max=32) or "")
    return reader(data) if reader else None


def _poll(told: Mapping[str, Any]) -> str | None:
    listed = told.get("options") or told.get("pollOptions")
    options = [mapping(o) for o in listed[:_OPTIONS_MAX]] if isinstance(listed, list) else []
    names = [first_text(o.get("optionName"), o.get("name")) for o in options]
    question = first_text(told.get("name"), told.get("pollName"))
    return _joined("\n", [question, *(f"• {name}" for name in names if name)])


def _order(told: Mapping[str, Any]) -> str | None:
    count = integer(told.get("itemCount"))
    amount = _amount(told.get("totalAmount1000"), told.get("totalCurrencyCode"))
    title = first_text(told.get("orderTitle"), told.get("title"))
    return _joined(
        "\n", [title, f"× {count}" if count else None, amount, text(told.get("message"))]
    )


def _product(told: Mapping[str, Any]) -> str | None:
    product = mapping(told.get("product")) or told
    amount = _amount(product.get("priceAmount1000"), product.get("currencyCode"))
    parts = (product.get("title"), product.get("description"), told.get("body"))
    return _joined("\n", [*(text(p) for p in parts), amount])


def _amount(thousandths: object, currency: object) -> str | None:
    plain = isinstance(thousandths, str) and thousandths.isascii() and thousandths.isdigit()
    number = integer(int(str(thousandths)[:15]) if plain else thousandths)
    code = text(currency, chars_max=3)
    return f"{number / 1000:.2f} {code}" if number and code else None


def _event(told: Mapping[str, Any]) -> str | None:
    return _joined("\n", (text(told.get(name)) for name in ("name", "description")))


def _invitation(told: Mapping[str, Any]) -> str | None:
    return _joined("\n", (text(told.get(name)) for name in ("groupName", "caption")))


def _choice(told: Mapping[str, Any]) -> str | None:
    return first_text(
        told.get("selectedDisplayText"),
        told.get("title"),
        mapping(told.get("body")).get("text"),
        told.get("description"),
    )


def _joined(between: str, parts: Iterable[str | None]) -> str | None:
    return text(between.join(part for part in parts if part), chars_max=_CHARS_MAX)


_FORMS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "pollCreationMessage": _poll,
    "orderMessage": _order,
    "productMessage": _product,
    "eventMessage": _event,
    "groupInviteMessage": _invitation,
    "listResponseMessage": _choice,
    "buttonsResponseMessage": _choice,
    "templateButtonReplyMessage": _choice,
    "interactiveResponseMessage": _choice,
}
_FLAT_FORMS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "poll_creation": _poll,
    "order": _order,
    "product": _product,
}
