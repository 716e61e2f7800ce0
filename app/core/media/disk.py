"""Files on a local disk: one folder a tenant, readable by our own user alone.

A file is written beside its place and moved there, so that nobody ever reads half of one. For
one machine, or a volume that API and workers share.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO
from uuid import UUID

from app.core import ids
from app.core.media.store import CHUNK_BYTES

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class DiskStore:
    """Files below one folder, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, tenant_id: UUID, media_id: UUID, data: bytes) -> None:
        """Write a file, whole or not at all."""
        await asyncio.to_thread(self._put, self._path(tenant_id, media_id), data)

    async def read(self, tenant_id: UUID, media_id: UUID) -> bytes:
        """Return a whole file."""
        return await asyncio.to_thread(self._path(tenant_id, media_id).read_bytes)

    async def stream(
        self, tenant_id: UUID, media_id: UUID, *, start: int, length: int
    ) -> AsyncIterator[bytes]:
        """Yield a part of a file."""
        file: IO[bytes] = await asyncio.to_thread(self._path(tenant_id, media_id).open, "rb")
        with contextlib.closing(file):
            file.seek(start)
            left = length
            while left > 0:
                chunk = await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    async def exists(self, tenant_id: UUID, media_id: UUID) -> bool:
        """Tell whether a file is there."""
        return await asyncio.to_thread(self._path(tenant_id, media_id).is_file)

    async def delete(self, tenant_id: UUID, media_id: UUID) -> None:
        """Delete a file; the tenant's folder goes with its last one."""
        await asyncio.to_thread(self._delete, self._path(tenant_id, media_id))

    def _path(self, tenant_id: UUID, media_id: UUID) -> Path:
        return self._folder / str(tenant_id) / str(media_id)

    def _put(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{ids.uuid7().hex}")
        try:
            # The folder may be taken away by the deletion of its last file in between.
            for last in (False, True):
                path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                try:
                    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
                    break
                except FileNotFoundError:
                    if last:
                        raise
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @staticmethod
    def _delete(path: Path) -> None:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are still in it, or it is gone
            path.parent.rmdir()
