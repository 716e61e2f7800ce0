"""Addresses of files for pages: signed, good for a quarter of an hour, and for one business."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from tenants import download_links

PATH = "/media/"
_PURPOSE = "media"
_FILE = text(
    """
    select id, kind, content_type, name, size_bytes from message_media
    where tenant_id = :tenant_id and id = :id and state in ('stored', 'ready')
      and size_bytes is not null
    """
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is in the store."""

    tenant_id: UUID
    id: UUID
    kind: str
    content_type: str
    name: str
    size_bytes: int


def signed_url(keys: Sequence[str], tenant_id: UUID, media_id: UUID) -> str:
    """Return a path that shows a file to whoever may read the business's inbox.

    Args:
        keys: the settings' ``secret_keys``; the first signs.
        tenant_id: whose file it is.
        media_id: the file's id (``message_media``).
    """
    return f"{PATH}{download_links.sign(keys, _PURPOSE, tenant_id, media_id)}"


def open_token(keys: Sequence[str], token: str, tenant_id: UUID) -> UUID:
    """Return the file that a token names; NotFoundError when it is forged, old or foreign."""
    link = download_links.open_link(keys, _PURPOSE, token)
    if link.tenant_id != tenant_id:
        raise NotFoundError("This link has run out. Get a new one on the page where it was.")
    return link.thing_id


async def find(connection: AsyncConnection, tenant_id: UUID, media_id: UUID) -> StoredFile:
    """Return a file of a business; NotFoundError when it is not there (any more)."""
    values = {"tenant_id": tenant_id, "id": media_id}
    row = (await connection.execute(_FILE, values)).one_or_none()
    if row is None:
        raise NotFoundError("This file is not there any more.")
    return StoredFile(
        tenant_id=tenant_id,
        id=row.id,
        kind=row.kind,
        content_type=row.content_type or "application/octet-stream",
        name=row.name or "file",
        size_bytes=row.size_bytes,
    )
