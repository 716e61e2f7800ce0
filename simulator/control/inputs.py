"""What the control takes, checked: wrong input is told what is wrong and what is allowed."""

import base64
import binascii
import re
from typing import Any, Literal, TypeVar

import msgspec

from simulator.clock import now_ms
from simulator.http import HttpError, Request
from simulator.model.modes import ScriptItem
from simulator.waha.history import Media

MEDIA_BYTES_MAX = 32 * 1024 * 1024
COPIES_MAX = 100
_PHONE = re.compile(r"^\d{5,15}$")
_ADDRESS = re.compile(r"^(?:\d{5,15}|lid:\d+|[\w.:-]+@[\w.]+)$")
_CHAT = re.compile(r"^[\w.:-]+@(?:c\.us|lid|g\.us|newsletter|broadcast)$")

T = TypeVar("T", bound=msgspec.Struct)


class MediaInput(msgspec.Struct, forbid_unknown_fields=True):
    """A file that goes with a message."""

    kind: Literal["image", "video", "voice", "audio", "document", "sticker"]
    mimetype: str
    data_base64: str
    filename: str | None = None
    caption: str | None = None
    download: Literal["ok", "failed", "off"] = "ok"


class MessageInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/customers/{phone}/messages` and `/_sim/owner/{phone}/messages`."""

    text: str | None = None
    media: MediaInput | None = None
    duplicate: int = 0
    as_lid: bool = False
    session: str | None = None
    push_name: str | None = None
    chat_id: str | None = None
    reply_to: str | None = None


class FaultInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/faults`."""

    service: Literal["waha", "openai", "resend", "sentry", "stripe", "upstash", "webhook"]
    path: str = "*"
    status: int | None = None
    headers: dict[str, str] = {}
    body: Any = None
    delay_ms: int = 0
    drop: Literal["before", "after"] | None = None
    duplicate: int = 0
    reorder: bool = False
    times: int | None = 1


class ModelInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/model`."""

    mode: Literal["demo", "echo", "obedient", "script"]
    delay_ms: int = 0
    script: list[ScriptItem] = []


class ScanInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/sessions/{name}/scan`."""

    phone: str | None = None
    push_name: str | None = None
    passkey: Literal["none", "required", "confirm"] = "none"


class RestartInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/restart`: what WAHA still knows afterwards."""

    keep: Literal["all", "sessions", "nothing"] = "all"


class StatusInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/sessions/{name}/status`."""

    status: Literal[
        "STOPPED",
        "STARTING",
        "SCAN_QR_CODE",
        "PASSKEY_REQUIRED",
        "PASSKEY_CONFIRMATION_REQUIRED",
        "WORKING",
        "FAILED",
    ]
    data: Any = None


class EngineInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/engine`."""

    engine: Literal["NOWEB", "GOWS", "WEBJS", "WPP"] | None = None
    version: str | None = None


class AcksInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/acks`."""

    mode: Literal["normal", "never", "error"]


class PresenceInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/presence`."""

    phone: str
    presence: Literal["offline", "online", "typing", "recording", "paused"]
    session: str | None = None
    as_lid: bool = False


class ClockInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/clock`."""

    retry_scale: float | None = None
    pairing_scale: float | None = None


def refuse(message: str) -> HttpError:
    """Wrong input to the control."""
    return HttpError(400, {"error": message})


def read(request: Request, kind: type[T]) -> T:
    """The body as one of the inputs above.

    Raises:
        HttpError: 400 with what is wrong and which fields there are.
    """
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except msgspec.DecodeError as exc:
        fields = ", ".join(kind.__struct_fields__)
        raise refuse(f"{exc} (the fields are: {fields})") from exc


def phone(value: str) -> str:
    """A phone number: digits only."""
    digits = value.removeprefix("+")
    if not _PHONE.match(digits):
        raise refuse(f"the phone is 5 to 15 digits, not {value!r}")
    return digits


def address(value: str) -> str:
    """What a phone list can be asked for: digits, `lid:<n>` or a chat id."""
    bare = value.removeprefix("+")
    if not _ADDRESS.match(bare):
        raise refuse(f"the phone is 5 to 15 digits, lid:<number> or a chat id, not {value!r}")
    return bare.removesuffix("@c.us")


def message(given: MessageInput) -> None:
    """Check what a type cannot say about a message."""
    if not given.text and given.media is None:
        raise refuse("a message needs text or media")
    if given.text and given.media:
        raise refuse("a message has text or media; a media's text is its caption")
    if not 0 <= given.duplicate <= COPIES_MAX:
        raise refuse(f"duplicate (further deliveries of the same event) is 0 to {COPIES_MAX}")
    if given.chat_id is not None and not _CHAT.match(given.chat_id):
        raise refuse("chat_id ends with @c.us, @lid, @g.us, @newsletter or @broadcast")


def media(given: MediaInput | None) -> Media | None:
    """The file of a message."""
    if given is None:
        return None
    try:
        content = base64.b64decode(given.data_base64, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise refuse("media.data_base64 is not base64") from exc
    if len(content) > MEDIA_BYTES_MAX:
        raise refuse(f"media has at most {MEDIA_BYTES_MAX} bytes")
    return Media(
        given.kind, given.mimetype, given.filename, content, now_ms(), download=given.download
    )


def fault(given: FaultInput) -> None:
    """Check what a type cannot say about a fault."""
    if (given.duplicate or given.reorder) and given.service != "webhook":
        raise refuse("duplicate and reorder are for service webhook (deliveries to the product)")
    if given.status is not None and given.drop is not None:
        raise refuse("a fault has status or drop: a dropped call has no status")
    if given.status is not None and not 100 <= given.status <= 599:  # noqa: PLR2004
        raise refuse("status is 100 to 599")
    if given.times is not None and given.times < 1:
        raise refuse("times is at least 1, or null until deleted")
    if given.delay_ms < 0 or given.duplicate < 0:
        raise refuse("delay_ms and duplicate are not negative")
    if given.path != "*" and not given.path.startswith("/"):
        raise refuse("path is * or begins with / and is the service's own, such as /api/sendText")
    harmless = given.status is None and given.drop is None and not given.delay_ms
    if harmless and not given.duplicate and not given.reorder:
        raise refuse("a fault needs status, delay_ms, drop, duplicate or reorder")
