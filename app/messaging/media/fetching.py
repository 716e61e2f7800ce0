"""Fetching a file from WAHA, looking at what it is, keeping it, and having it read.

WAHA keeps a file for three minutes, so it is fetched in the first worker step. Each step is
recorded for itself, and whoever died in between is followed by another worker:

| found | what follows |
|---|---|
| wanted | fetched; written again under the same name, if it was written before |
| stored | read; the model that reads it is paid again by the operator, never by the tenant |

A file that is gone (404) is asked for once more: WAHA downloads it again where it can. What
cannot be had in three minutes is ``failed``, and the customer is asked to type.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass

from app.channels.port import MediaSource
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.engine import Database
from app.core.errors import ProviderError
from app.core.media.content import TYPES, safe_name, sniff
from app.core.media.durations import duration_ms
from app.core.media.store import MediaStore
from app.core.observability.sentry import capture
from app.core.outbound import OutboundRefused
from app.core.ports import MediaReader
from app.messaging.access import channel_access
from app.messaging.media import work
from app.messaging.media.limits import AUDIO_MS_MAX, BYTES_MAX, READ_PER_HOUR_MAX
from app.messaging.media.work import Kept, Wanted

log = logging.getLogger(__name__)

_BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0)
_FETCH_AGE_MAX_S = 180.0
_READ_ATTEMPTS_MAX = 6
_GONE = {400, 404, 410}
_OTHERWISE = {"audio": "voice-message", "image": "picture", "video": "video"}


@dataclass(frozen=True, slots=True)
class Tools:
    """What fetching and reading run on."""

    database: Database
    store: MediaStore
    source: MediaSource
    reader: MediaReader
    settings: Settings
    keyring: Keyring


async def process(tools: Tools, wanted: Wanted) -> None:
    """Bring a claimed file as far as it gets; what failed for now is given back for later."""
    data: bytes | None = None
    if wanted.state == "wanted":
        data = await _fetch(tools, wanted)
        if data is None:
            return
        kept = await asyncio.to_thread(_look_at, wanted, data)
        if kept is None:
            await _end(tools, wanted, "refused", "type")
            return
        try:
            await tools.store.put(wanted.tenant_id, wanted.id, data)
        except OSError as error:
            await _not_stored(tools, wanted, error)
            return
        if not await work.note_kept(tools.database, wanted, kept):
            # Another worker's now, whose file has the same name; or its message was erased.
            if not await work.is_known(tools.database, wanted):
                await tools.store.delete(wanted.tenant_id, wanted.id)
            return
        content_type, length_ms = kept.content_type, kept.duration_ms
        name = kept.name
    else:
        content_type, length_ms = wanted.content_type or "", wanted.duration_ms
        name = wanted.name or "file"
    if wanted.to_read:
        await _read(tools, wanted, _File(name, content_type, length_ms), data)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content_type: str
    duration_ms: int | None


async def _fetch(tools: Tools, wanted: Wanted) -> bytes | None:
    """Return the file's bytes; None when it ended, or waits for another try."""
    access = channel_access(wanted, tools.settings, tools.keyring)
    bytes_max = BYTES_MAX[wanted.kind]
    url = wanted.url
    try:
        if url is not None:
            try:
                return await tools.source.fetch_media(access, url, bytes_max=bytes_max)
            except ProviderError as error:
                if error.status_code not in _GONE:
                    raise
        again = await tools.source.media_url(access, _full_id(wanted), wanted.address)
        if again is None or again == url:
            await _end(tools, wanted, "failed", "gone" if url else "no_file")
            return None
        await work.readdress(tools.database, wanted, again)
        return await tools.source.fetch_media(access, again, bytes_max=bytes_max)
    except OutboundRefused as refused:
        state = "too_big" if refused.reason == "too_large" else "refused"
        await _end(tools, wanted, state, refused.reason)
    except ProviderError as error:
        if error.retryable and wanted.age_s < _FETCH_AGE_MAX_S:
            await _later(tools, wanted, error)
        else:
            await _end(tools, wanted, "failed", f"status_{error.status_code or 0}")
    return None


def _full_id(wanted: Wanted) -> str:
    own = "true" if wanted.direction == "out" else "false"
    return f"{own}_{wanted.address}_{wanted.wa_id}"


def _look_at(wanted: Wanted, data: bytes) -> Kept | None:
    """Tell what a file is; None for what is not taken."""
    content_type = sniff(data, claimed=wanted.claimed_type)
    if content_type is None or content_type not in TYPES[wanted.kind]:
        return None
    if wanted.kind == "audio" and content_type == "video/webm":
        content_type = "audio/webm"
    audio = content_type.startswith("audio/")
    otherwise = _OTHERWISE.get(wanted.kind, "file")
    return Kept(
        content_type=content_type,
        name=safe_name(wanted.name, content_type, otherwise=otherwise),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).digest(),
        duration_ms=duration_ms(data, content_type) if audio else None,
    )


async def _read(tools: Tools, wanted: Wanted, file: _File, data: bytes | None) -> None:
    idle_s = tools.settings.timings.idle_s
    refused = None
    if wanted.kind == "audio" and (file.duration_ms or 0) > AUDIO_MS_MAX:
        refused = "too_long"
    elif await work.read_lately(tools.database, wanted) >= READ_PER_HOUR_MAX:
        refused = "too_many"
    if refused:
        await work.note_read(tools.database, wanted, None, reason=refused, idle_s=idle_s)
        return
    try:
        if data is None:
            data = await tools.store.read(wanted.tenant_id, wanted.id)
        reading = await tools.reader.read(
            wanted.kind, file.content_type, file.name, data, duration_ms=file.duration_ms
        )
    except (ProviderError, OSError) as error:
        again = not isinstance(error, ProviderError) or error.retryable
        if again and wanted.attempts < _READ_ATTEMPTS_MAX:
            await _later(tools, wanted, error)
            return
        reading = None
    reason = None if reading else "unreadable"
    await work.note_read(tools.database, wanted, reading, reason=reason, idle_s=idle_s)


async def _not_stored(tools: Tools, wanted: Wanted, error: OSError) -> None:
    """Wait for a store that is full or away; whoever runs it hears of it."""
    capture(error, tenant_id=wanted.tenant_id, request_id=wanted.request_id)
    if wanted.age_s < _FETCH_AGE_MAX_S:
        await _later(tools, wanted, error)
    else:
        await _end(tools, wanted, "failed", "store")


async def _later(tools: Tools, wanted: Wanted, error: Exception) -> None:
    wait_s = _BACKOFF_S[min(wanted.attempts - 1, len(_BACKOFF_S) - 1)]
    log.warning(
        "a file was not had, it is tried again",
        extra={
            "mediaId": wanted.id,
            "attempt": wanted.attempts,
            "errorType": type(error).__name__,
            "status": getattr(error, "status_code", None) or 0,
            "waitMs": wait_s * 1000,
        },
    )
    await work.try_later(tools.database, wanted, wait_s)


async def _end(tools: Tools, wanted: Wanted, state: str, reason: str) -> None:
    log.info(
        "a file was not taken",
        extra={"mediaId": wanted.id, "state": state, "reason": reason},
    )
    idle_s = tools.settings.timings.idle_s
    await work.note_end(tools.database, wanted, state, reason, idle_s=idle_s)
