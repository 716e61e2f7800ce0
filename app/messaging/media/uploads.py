"""Files that people send: looked at like those that come in, kept, and sent with a message.

An upload belongs to no message until somebody sends it; one that nobody sends goes after a day.
"""

import asyncio
import hashlib
from uuid import UUID

from sqlalchemy import text

from app.core import ids
from app.core.db.engine import Database
from app.core.errors import RefusedError, UnavailableError
from app.core.media.content import TYPES, safe_name, sniff
from app.core.media.durations import duration_ms
from app.core.media.store import MediaStore
from app.messaging.media.limits import BYTES_MAX

UPLOAD_BYTES_MAX = max(BYTES_MAX.values())
# What WhatsApp shows as a picture or plays; everything else goes as a file.
_SHOWN = {
    "image/jpeg": "image",
    "image/png": "image",
    "audio/ogg": "audio",
    "audio/mpeg": "audio",
    "audio/mp4": "audio",
    "audio/wav": "audio",
    "video/mp4": "video",
}

_INSERT = text(
    """
    insert into message_media (tenant_id, id, kind, state, name, claimed_type, content_type,
                               size_bytes, sha256, duration_ms, finished_at)
    values (:tenant_id, :id, :kind, 'ready', :name, :claimed_type, :content_type, :size_bytes,
            :sha256, :duration_ms, now())
    """
)
_DELETE = text("delete from message_media where tenant_id = :tenant_id and id = :id")


async def store_upload(
    database: Database,
    store: MediaStore,
    tenant_id: UUID,
    *,
    name: str,
    content_type: str | None,
    data: bytes,
) -> UUID:
    """Keep a file that a person wants to send; return its id for ``message_media``.

    Its row is there before the file is written, and without it nothing of the file stays.

    Args:
        database: the process's pools; a short transaction of the tenant's own.
        store: where files lie.
        tenant_id: whose file it is.
        name: as the person's device calls it.
        content_type: as the person's browser claims it; its bytes decide.
        data: the whole file.

    Raises:
        RefusedError: empty, too large, or of a kind that is not sent.
        UnavailableError: the store cannot be written to.
    """
    if not data:
        raise RefusedError("This file is empty. Choose another one.")
    found = await asyncio.to_thread(sniff, data, claimed=content_type)
    kind = _SHOWN.get(found or "", "document")
    if found is None or found not in TYPES[kind]:
        raise RefusedError(
            "This kind of file cannot be sent. Choose a picture, a recording, a video, a PDF,"
            " an office document or a text file."
        )
    if len(data) > BYTES_MAX[kind]:
        raise _too_large(kind)
    media_id = ids.uuid7()
    values = {
        "tenant_id": tenant_id,
        "id": media_id,
        "kind": kind,
        "name": safe_name(name, found),
        "claimed_type": (content_type or "")[:128] or None,
        "content_type": found,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).digest(),
        "duration_ms": duration_ms(data, found) if kind == "audio" else None,
    }
    async with database.tenant(tenant_id) as connection:
        await connection.execute(_INSERT, values)
    try:
        await store.put(tenant_id, media_id, data)
    except OSError as error:
        async with database.tenant(tenant_id) as connection:
            await connection.execute(_DELETE, {"tenant_id": tenant_id, "id": media_id})
        raise UnavailableError("The file could not be kept. Try again in a minute.") from error
    return media_id


def _too_large(kind: str) -> RefusedError:
    """Say it in a sentence that can be translated; the figures are those of ``BYTES_MAX``."""
    if kind == "image":
        return RefusedError("This picture is too large: at most 10 MB.")
    if kind == "audio":
        return RefusedError("This recording is too large: at most 25 MB.")
    if kind == "video":
        return RefusedError("This video is too large: at most 16 MB.")
    return RefusedError("This file is too large: at most 20 MB.")
