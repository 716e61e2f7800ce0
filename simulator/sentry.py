"""Sentry's ingestion: takes envelopes and lets them be read as JSON."""

import gzip
import re
import uuid
import zlib
from typing import Any

import msgspec

from simulator.http import Request, Response, json_response

_PATH = re.compile(r"^/api/[^/]+/(?:envelope|store)/?$")
_KEY = re.compile(r"sentry_key=\w+")


class Sentry:
    """Answers the envelope endpoint of any project; any key will do, none will not."""

    async def handle(self, request: Request) -> Response:
        """Take one envelope."""
        if request.method != "POST" or not _PATH.match(request.path):
            return json_response({"detail": "not found"}, status=404)
        if not _has_key(request):
            detail = "missing authorization information"
            return json_response({"detail": detail}, status=403)
        event_id = decode_envelope(request)["header"].get("event_id")
        return json_response({"id": event_id or uuid.uuid4().hex})


def _has_key(request: Request) -> bool:
    if _KEY.search(request.headers.get("x-sentry-auth", "")) or "sentry_key" in request.query:
        return True
    return "dsn" in decode_envelope(request)["header"]


def decode_envelope(request: Request) -> dict[str, Any]:
    """An envelope as `{"header": {…}, "items": [{"type", "header", "payload"}]}`.

    Payloads that are JSON are given as JSON, others as text. What cannot be read at all gives an
    empty header and no items.
    """
    try:
        data = _decompressed(request)
        return _parse(data)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return {"header": {}, "items": []}


def _decompressed(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "").lower()
    if encoding == "gzip":
        return gzip.decompress(request.body)
    if encoding == "deflate":
        return zlib.decompress(request.body)
    return request.body


def _parse(data: bytes) -> dict[str, Any]:
    line, _, rest = data.partition(b"\n")
    header = msgspec.json.decode(line)
    items: list[dict[str, Any]] = []
    while rest.strip(b"\n"):
        line, _, rest = rest.partition(b"\n")
        if not line:
            continue
        item = msgspec.json.decode(line)
        length = item.get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        else:
            payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        items.append({"type": item["type"], "header": item, "payload": _payload(payload)})
    return {"header": header, "items": items}


def _payload(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")
