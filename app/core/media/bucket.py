"""Files in an S3-compatible bucket, for machines that share no disk."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from app.core.media.store import CHUNK_BYTES

_TIMEOUT = timedelta(seconds=30)
# The library would go on for three minutes; a file's own lease and retries come long before that.
_RETRIES: Any = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=15),
    "backoff": {
        "init_backoff": timedelta(milliseconds=50),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}


class BucketStore:
    """Files in a bucket. The store's own errors come out as OSError."""

    def __init__(self, bucket: ObjectStore) -> None:
        self._bucket = bucket

    async def put(self, tenant_id: UUID, media_id: UUID, data: bytes) -> None:
        """Write a file."""
        try:
            await self._bucket.put_async(_key(tenant_id, media_id), data)
        except BaseError as error:
            raise _as_os_error(error) from None

    async def read(self, tenant_id: UUID, media_id: UUID) -> bytes:
        """Return a whole file."""
        try:
            found = await self._bucket.get_async(_key(tenant_id, media_id))
            return bytes(await found.bytes_async())
        except (BaseError, FileNotFoundError) as error:
            raise _as_os_error(error) from None

    async def stream(
        self, tenant_id: UUID, media_id: UUID, *, start: int, length: int
    ) -> AsyncIterator[bytes]:
        """Yield a part of a file."""
        try:
            found = await self._bucket.get_async(
                _key(tenant_id, media_id), options={"range": (start, start + length)}
            )
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)
        except (BaseError, FileNotFoundError) as error:
            raise _as_os_error(error) from None

    async def exists(self, tenant_id: UUID, media_id: UUID) -> bool:
        """Tell whether a file is there."""
        try:
            await self._bucket.head_async(_key(tenant_id, media_id))
        except FileNotFoundError:
            return False
        except BaseError as error:
            raise _as_os_error(error) from None
        return True

    async def delete(self, tenant_id: UUID, media_id: UUID) -> None:
        """Delete a file."""
        try:
            await self._bucket.delete_async(_key(tenant_id, media_id))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _as_os_error(error) from None


def open_bucket(name: str, *, prefix: str, endpoint: str | None, region: str | None) -> BucketStore:
    """Return a bucket's store; credentials are those of the AWS variables or of the machine."""
    zone, below = region or "us-east-1", prefix or None
    if endpoint is None:
        bucket = S3Store(
            name,
            prefix=below,
            region=zone,
            client_options={"timeout": _TIMEOUT},
            retry_config=_RETRIES,
        )
        return BucketStore(bucket)
    # Plain HTTP only where the operator wrote it, for a store of their own network.
    plain = endpoint.startswith("http://")
    bucket = S3Store(
        name,
        prefix=below,
        region=zone,
        endpoint=endpoint,
        client_options={"timeout": _TIMEOUT, "allow_http": plain},
        retry_config=_RETRIES,
    )
    return BucketStore(bucket)


def _key(tenant_id: UUID, media_id: UUID) -> str:
    return f"{tenant_id}/{media_id}"


def _as_os_error(error: Exception) -> OSError:
    # The library's texts name buckets and addresses: only the kind is told.
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError("the file is not in the bucket")
    return OSError(f"the bucket failed ({type(error).__name__})")
