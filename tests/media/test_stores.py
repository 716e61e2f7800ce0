"""Stores that fail: a bucket over real HTTP, a disk without room or rights."""

import errno
import os
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.config import Settings
from app.core.media.disk import DiskStore
from app.core.media.opening import open_store
from app.core.media.store import MediaStore
from tests.media.bucket_server import KEY, REGION, SECRET, Bucket, bucket_server

pytestmark = pytest.mark.anyio
TENANT, FILE = uuid4(), uuid4()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def store_of(bucket: Bucket) -> MediaStore:
    url = f"s3://secret-bucket/files?endpoint={bucket.url}&region={REGION}"
    return open_store(Settings(media_url=url))


async def test_a_bucket_over_http() -> None:
    async with bucket_server() as bucket:
        store, data = store_of(bucket), b"0123456789" * 10_000
        await store.put(TENANT, FILE, data)
        assert list(bucket.objects) == [f"/secret-bucket/files/{TENANT}/{FILE}"]
        assert await store.read(TENANT, FILE) == data
        part = [piece async for piece in store.stream(TENANT, FILE, start=5, length=70_000)]
        assert b"".join(part) == data[5:70_005]
        assert await store.exists(TENANT, FILE)
        assert not await store.exists(uuid4(), FILE)
        for _ in range(2):
            await store.delete(TENANT, FILE)
        with pytest.raises(FileNotFoundError):
            await store.read(TENANT, FILE)


async def test_a_bucket_that_fails_for_a_moment_or_loses_an_answer() -> None:
    async with bucket_server() as bucket:
        store = store_of(bucket)
        bucket.script = [500, "lost"]
        await store.put(TENANT, FILE, b"once")
        assert len(bucket.seen) == 3
        assert list(bucket.objects.values()) == [b"once"]
        bucket.script = [503]
        assert await store.read(TENANT, FILE) == b"once"


@pytest.mark.parametrize("status", [403, 500])
async def test_a_bucket_that_refuses(status: int) -> None:
    async with bucket_server() as bucket:
        store = store_of(bucket)
        for attempt in (store.put(TENANT, FILE, b"x"), store.read(TENANT, FILE)):
            bucket.script = [status] * 9
            with pytest.raises(OSError, match="the bucket failed") as refusal:
                await attempt
            # Whose bucket it is, and what it said, is told to nobody.
            assert "secret-bucket" not in str(refusal.value)
        bucket.script = [status] * 9
        with pytest.raises(OSError, match="the bucket failed"):
            await store.exists(TENANT, FILE)


async def test_a_bucket_with_another_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    async with bucket_server() as bucket:
        with pytest.raises(OSError, match="the bucket failed"):
            await store_of(bucket).put(TENANT, FILE, b"x")
        assert bucket.objects == {}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
async def test_a_disk_that_fails_leaves_no_half_file(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskStore(tmp_path / "media")
    await store.put(TENANT, FILE, b"before")

    def fails(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=os.strerror(code)):
        await store.put(TENANT, FILE, b"after, and longer")
    assert await store.read(TENANT, FILE) == b"before"
    assert [path.name for path in (tmp_path / "media" / str(TENANT)).iterdir()] == [str(FILE)]
