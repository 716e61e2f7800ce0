"""The webhook doors as plain ASGI: ``/webhooks/waha/{channel_key}`` and the shared endpoint.

They stand outside the framework's routing on purpose: a Litestar handler costs more than all
the work done here, its mounts match prefixes, and its redirects would lose messages (WAHA
turns a 301–303 into a GET and takes the 200). The answers are a fixed contract:

200 accepted, duplicate, ignored · 400 not a UTF-8 JSON object (after a good signature) ·
401 signature · 404 unknown · 405 · 413 over 1 MiB · 415 compressed · 429 · 503 not durable.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from app.channels.port import Envelope
from app.channels.waha.parse import parse_head
from app.core import ids
from app.core.config import Settings
from app.core.errors import UnavailableError
from app.core.json import NotAnObjectError, TooDeepError, decode_object
from app.core.limits.policies import hook_bad
from app.core.limits.subjects import hash_address
from app.core.limits.types import Check, Limiter
from app.core.observability.context import bind
from app.core.observability.metrics import WEBHOOKS
from app.core.observability.sentry import capture
from app.core.signing import verify_hmac_sha512
from app.http.client import client_address, header, request_id
from app.messaging.ingest.group_commit import Delivery, GroupCommit
from tenants.channels import ChannelDirectory, ChannelDoor

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 1 << 20
CHANNEL_MOUNT = "/webhooks/waha"
SHARED_PATH = "/api/webhooks/whatsapp"
_DISCARD_BYTES_MAX = 16 << 20
_DISCARD_S = 1.0
_KEY_BYTES = 16
_UNREADABLE = Envelope("unknown", None, None, None, None)


class _Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a request with a problem document; never leaves this module."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request whose signature holds."""

    door: ChannelDoor
    envelope: Envelope
    raw: bytes


class WebhookDoor:
    """Both WAHA doors. Call ``channel_app`` and ``shared_app`` as ASGI applications."""

    def __init__(
        self,
        settings: Settings,
        directory: ChannelDirectory,
        limiter: Limiter,
        ingest: GroupCommit,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._limiter = limiter
        self._ingest = ingest
        self._bad = hook_bad(settings.limits)
        self._subject_key = settings.secret_keys[0] if settings.secret_keys else "unset"

    async def channel_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer ``/webhooks/waha/{channel_key}``: one number's own URL and secret."""
        await self._answer(scope, receive, send, shared=False)

    async def shared_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer ``/api/webhooks/whatsapp``: the number is found by the body's session."""
        await self._answer(scope, receive, send, shared=True)

    async def _answer(self, scope: Any, receive: Any, send: Any, *, shared: bool) -> None:
        if scope["type"] != "http":
            return
        rid = request_id(scope, self._settings.trusted_proxies)
        with bind(request_id=rid):
            try:
                outcome = await self._handle(scope, receive, rid, shared=shared)
            except _Refused as refused:
                WEBHOOKS.labels("waha", refused.code).inc()
                await _respond(send, refused.status, _problem(refused, rid), rid, refused.headers)
            except UnavailableError as error:
                WEBHOOKS.labels("waha", "unavailable").inc()
                log.warning("webhook not durable", extra={"webhook": "waha", "event": "failed"})
                away = _Refused(503, "unavailable", "Not stored; please send it again.")
                after = {"Retry-After": str(max(1, round(error.retry_after_s)))}
                await _respond(send, 503, _problem(away, rid), rid, after)
            except Exception as error:
                # Nobody stands around the door: what the framework does for its handlers.
                WEBHOOKS.labels("waha", "internal").inc()
                log.exception("unexpected error", extra={"errorType": type(error).__name__})
                capture(error)
                broken = _Refused(500, "internal", "Something went wrong on our side.")
                await _respond(send, 500, _problem(broken, rid), rid, {})
            else:
                WEBHOOKS.labels("waha", outcome).inc()
                await _respond(send, 200, {"status": outcome, "requestId": rid}, rid, {})

    async def _handle(self, scope: Any, receive: Any, rid: str, *, shared: bool) -> str:
        if scope["method"] != "POST":
            raise _Refused(405, "method", "Only POST is answered here.", {"Allow": "POST"})
        key = None if shared else _channel_key(scope)
        raw = await _read_body(scope, receive)
        signed = await (
            self._open_shared(scope, raw) if key is None else self._open_channel(scope, key, raw)
        )
        if not shared and signed.envelope.session not in {None, signed.door.session}:
            log.info("webhook of another session", extra={"webhook": "waha", "event": "verified"})
            return "ignored"
        return await self._store(signed, rid)

    async def _open_channel(self, scope: Any, key: str, raw: bytes) -> _Signed:
        door = await self._find(self._directory.by_key(key))
        if door is None:
            raise await self._bad_request(scope, 404, "unknown_channel")
        if not _signature_holds(scope, door.webhook_secret, raw):
            raise await self._bad_request(scope, 401, "invalid_signature")
        return _Signed(door, _read_envelope(raw), raw)

    async def _open_shared(self, scope: Any, raw: bytes) -> _Signed:
        if not _signature_holds(scope, self._settings.waha_webhook_secret, raw):
            raise await self._bad_request(scope, 401, "invalid_signature")
        envelope = _read_envelope(raw)
        door = await self._find(self._directory.by_session(envelope.session or ""))
        if door is None:
            raise _Refused(404, "unknown_channel", "No number is connected under this session.")
        return _Signed(door, envelope, raw)

    async def _find(self, look_up: Any) -> ChannelDoor | None:
        try:
            found: ChannelDoor | None = await look_up
        except UnavailableError:
            raise
        except Exception as error:
            log.exception("channel look-up failed", extra={"errorType": type(error).__name__})
            raise UnavailableError("the database is away") from error
        return found

    async def _bad_request(self, scope: Any, status: int, code: str) -> _Refused:
        """Count an unsigned or unknown request against its address; 429 when there are many."""
        address = client_address(scope, self._settings.trusted_proxies)
        check = Check(self._bad, hash_address(self._subject_key, address))
        verdict = await self._limiter.decide([check])
        if not verdict.allowed:
            _tell_security("rate_limit")
            return _Refused(
                429, "rate_limit", "Too many unsigned or unknown requests.", verdict.headers()
            )
        if status == 404:  # noqa: PLR2004
            return _Refused(404, code, "There is nothing here.")
        _tell_security("invalid_signature")
        return _Refused(status, code, "X-Webhook-Hmac is missing or does not fit the body.")

    async def _store(self, signed: _Signed, rid: str) -> str:
        door, envelope = signed.door, signed.envelope
        receipt = await self._ingest.submit(
            Delivery(
                tenant_id=door.tenant_id,
                channel_id=door.channel_id,
                key=event_key(envelope, signed.raw),
                inbox_id=ids.uuid7(),
                event=envelope.event,
                body=signed.raw,
                request_id=rid,
                hook_per_min=door.hook_per_min,
                hook_burst=door.hook_burst,
            )
        )
        if receipt.refusal is not None:
            _tell_security("rate_limit")
            raise _Refused(
                429, "rate_limit", "This number sends too fast.", receipt.refusal.headers()
            )
        outcome = "accepted" if receipt.fresh else "duplicate"
        with bind(tenant_id=door.tenant_id):
            log.info(
                "webhook stored",
                extra={
                    "webhook": "waha",
                    "event": "received",
                    "outcome": outcome,
                    "channelId": door.channel_id,
                },
            )
        return outcome


def event_key(envelope: Envelope, raw: bytes) -> bytes:
    """Return what makes an event one event: (event, body id), or the body where it has no id."""
    if envelope.body_id:
        name = f"{envelope.event}\0{envelope.body_id}".encode("utf-8", "surrogatepass")
    else:
        name = b"\0body\0" + raw
    return hashlib.sha256(name).digest()[:_KEY_BYTES]


def _channel_key(scope: Any) -> str:
    """Take the one path segment behind the mount; a slash at the end is the same place."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    tail = raw.decode("latin-1").partition("?")[0].removeprefix(CHANNEL_MOUNT)
    segments = tail.removesuffix("/").split("/")
    if len(segments) != 2 or segments[0] or not segments[1]:  # noqa: PLR2004
        raise _Refused(404, "unknown_channel", "There is nothing here.")
    return segments[1]


def _signature_holds(scope: Any, secret: str, raw: bytes) -> bool:
    algorithm = header(scope, b"x-webhook-hmac-algorithm")
    if algorithm is not None and algorithm != b"sha512":
        return False
    signature = header(scope, b"x-webhook-hmac")
    return signature is not None and verify_hmac_sha512(secret, raw, signature.decode("latin-1"))


def _read_envelope(raw: bytes) -> Envelope:
    try:
        return parse_head(decode_object(raw))
    except TooDeepError:
        return _UNREADABLE  # an object all the same: stored, and ignored when it is read
    except NotAnObjectError as error:
        raise _Refused(400, "malformed", str(error)) from None


async def _read_body(scope: Any, receive: Any) -> bytes:
    encoding = header(scope, b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"", b"identity"}:
        raise _Refused(415, "encoding", "Compressed bodies are not accepted.")
    length = header(scope, b"content-length")
    told = int(length[:12]) if length is not None and length.isdigit() else 0
    if told > BODY_BYTES_MAX:
        await _discard(receive, told)
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "disconnected", "The body did not arrive.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            if message.get("more_body", False):
                await _discard(receive, size)
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _discard(receive: Any, size: int) -> None:
    """Read the rest of a body that is refused, within bounds, so that the answer arrives.

    A connection that is closed over unread bytes is reset, and the 413 is lost with it.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while size <= _DISCARD_BYTES_MAX:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large() -> _Refused:
    # What is left of the body is not read, so the connection cannot be used again.
    return _Refused(413, "too_large", "A webhook has at most 1 MiB.", {"Connection": "close"})


def _tell_security(action: str) -> None:
    log.warning(
        "webhook refused", extra={"webhook": "waha", "security": "webhook", "action": action}
    )


def _problem(refused: _Refused, rid: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": refused.code.replace("_", " ").capitalize(),
        "status": refused.status,
        "code": refused.code,
        "detail": refused.detail,
        "requestId": rid,
    }


async def _respond(
    send: Any, status: int, body: Mapping[str, Any], rid: str, headers: Mapping[str, str]
) -> None:
    content = msgspec.json.encode(body)
    kind = b"application/json" if status == 200 else b"application/problem+json"  # noqa: PLR2004
    start_headers = [
        (b"content-type", kind),
        (b"content-length", str(len(content)).encode()),
        (b"x-request-id", rid.encode()),
        (b"cache-control", b"no-store"),
        *((k.lower().encode(), v.encode()) for k, v in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start_headers})
    await send({"type": "http.response.body", "body": content})
