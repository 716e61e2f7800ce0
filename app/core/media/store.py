"""The media store: where files lie, on a disk or in a bucket, chosen by ``MEDIA_URL``.

A file's name is its tenant and its id, both ours, so no name that somebody else chose ever
becomes a path. Files are written whole or not at all, and writing one again is harmless.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from app.core.config import Settings
from app.core.errors import ConfigurationError

CHUNK_BYTES = 64 * 1024


class MediaStore(Protocol):
    """Keeps files by tenant and id. Failures are OSError."""

    async def put(self, tenant_id: UUID, media_id: UUID, data: bytes) -> None:
        """Write a file, or write it again."""
        ...

    async def read(self, tenant_id: UUID, media_id: UUID) -> bytes:
        """Return a whole file; FileNotFoundError when there is none."""
        ...

    def stream(
        self, tenant_id: UUID, media_id: UUID, *, start: int, length: int
    ) -> AsyncIterator[bytes]:
        """Yield ``length`` bytes of a file from ``start``; FileNotFoundError at the first."""
        ...

    async def exists(self, tenant_id: UUID, media_id: UUID) -> bool:
        """Tell whether a file is there."""
        ...

    async def delete(self, tenant_id: UUID, media_id: UUID) -> None:
        """Delete a file; one that is not there is no error."""
        ...


def open_store(settings: Settings) -> MediaStore:
    """Return the store that ``MEDIA_URL`` names.

    ``file:///var/lib/parley/media`` or ``s3://bucket/prefix?endpoint=…&region=…``. Credentials
    of S3 come from the AWS variables of the environment, never from the URL. Outside production
    an empty one is a folder of our own among the temporary files.

    Raises:
        ConfigurationError: MEDIA_URL is missing or names no store that there is.
    """
    parts = urlsplit(settings.media_url)
    if not settings.media_url and not settings.production:
        from app.core.media.disk import DiskStore

        return DiskStore(Path(tempfile.gettempdir()) / f"parley-media-{os.getuid()}")
    if parts.scheme == "file":
        from app.core.media.disk import DiskStore

        path = unquote(parts.path)
        if parts.netloc or not path.startswith("/"):
            raise ConfigurationError(["MEDIA_URL must name a whole path: file:///var/lib/parley."])
        return DiskStore(Path(path))
    if parts.scheme == "s3" and parts.netloc:
        from app.core.media.bucket import open_bucket

        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return open_bucket(
            parts.netloc,
            prefix=parts.path.strip("/"),
            endpoint=query.get("endpoint"),
            region=query.get("region"),
        )
    raise ConfigurationError(
        ["MEDIA_URL is missing: file:///var/lib/parley/media or s3://bucket/prefix?endpoint=URL."]
    )
