"""Reading a webhook's body: whole, as the bytes that were signed, and at most 1 MiB of it."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from app.messaging.ingest.answers import Refused

BODY_BYTES_MAX = 1 << 20
_DISCARD_BYTES_MAX = 16 << 20
_DISCARD_S = 1.0


async def read_body(headers: Mapping[bytes, bytes], receive: Any) -> bytes:
    """Return the body; Refused when it is compressed, too large, or does not arrive."""
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"", b"identity"}:
        raise Refused(415, "encoding", "Compressed bodies are not accepted.")
    length = headers.get(b"content-length")
    told = int(length[:12]) if length is not None and length.isdigit() else 0
    if told > BODY_BYTES_MAX:
        await _discard(receive, told)
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "The body did not arrive.")
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


def _too_large() -> Refused:
    # What is left of the body is not read, so the connection cannot be used again.
    return Refused(413, "too_large", "A webhook has at most 1 MiB.", {"Connection": "close"})
