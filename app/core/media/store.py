"""The media store: where files lie, on a disk or in a bucket.

A file's name is its tenant and its id, both ours, so no name that somebody else chose ever
becomes a path. Files are written whole or not at all, and writing one again is harmless.
"""

from collections.abc import AsyncIterator
from typing import Protocol
from uuid import UUID

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
