"""What files are by their bytes, what they are called, how long they last, where they lie."""

import io
import stat
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest
from obstore.store import MemoryStore

from app.core.config import Settings
from app.core.errors import ConfigurationError
from app.core.media.bucket import BucketStore
from app.core.media.content import TYPES, safe_name, sniff
from app.core.media.disk import DiskStore
from app.core.media.durations import duration_ms
from app.core.media.opening import open_store
from app.core.media.store import MediaStore
from app.http.ranges import RangeError, read_range
from tests.media import samples


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "claimed", "found"),
    [
        (samples.png(), "application/pdf", "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, None, "image/jpeg"),
        (samples.wav("x"), None, "audio/wav"),
        (samples.ogg("x"), None, "audio/ogg"),
        (samples.mp4(), None, "video/mp4"),
        (samples.mp4(b"M4A "), None, "audio/mp4"),
        (samples.mp4(b"heic"), None, "image/heic"),
        (samples.PDF, "text/plain", "application/pdf"),
        (b"\xff\xfb\x90\x64" + b"\0" * 20, None, "audio/mpeg"),
        (zipped("word/document.xml"), None, next(t for t in TYPES["document"] if "word" in t)),
        (zipped("a.txt"), None, "application/zip"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        ("Größe 🥐".encode(), "text/html", "text/plain"),
        (b"<!DOCTYPE html><p>x", "text/plain", "text/html"),
        ("é".encode() * 3000, None, "text/plain"),
        ("Größe;5".encode("latin-1"), "text/csv", "text/csv"),
        (b"\xff\xf1\x50\x80" + b"\0" * 9, None, "audio/aac"),
        # What must never be taken, whatever it is called.
        (samples.PROGRAM, "application/pdf", None),
        (b"\x7fELF\2", None, None),
        (b"#!/bin/sh\nrm", "text/plain", None),
        (zipped("word/document.xml", "word/vbaProject.bin"), None, None),
        (zipped("AndroidManifest.xml", "classes.dex"), None, None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword", None),
        (b"PK\x03\x04 broken", None, None),
        (zipped(*map(str, range(5_001))), None, None),
        (b"\0\1\2\3", None, None),
        (b"abc\0def", "text/plain", None),
        (b"\xff\xfe\xfa" * 9, None, None),
        (b"\xff\xfe\xfa" * 9, "audio/mpeg", None),
        (b"", None, None),
    ],
)
def test_what_a_file_is(data: bytes, claimed: str | None, found: str | None) -> None:
    assert sniff(data, claimed=claimed) == found


@pytest.mark.parametrize(
    ("raw", "content_type", "name"),
    [
        ("menu.pdf", "application/pdf", "menu.pdf"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\ada\\menu.PDF", "application/pdf", "menu.pdf"),
        ("bill\u202efdp.exe", "application/pdf", "billfdp.exe.pdf"),
        ("a\x00b\nc\u200b.txt", "text/plain", "abc.txt"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ('a<b>:"c"|?*.png', "image/png", "a_b___c____.png"),
        ("..", "image/png", "file.png"),
        ("", "application/zip", "file.zip"),
        (None, "audio/ogg", "file.ogg"),
        ("x" * 400 + ".pdf", "application/pdf", "x" * 120 + ".pdf"),
        ("report.final", None, "report.final"),
        ("\u202e", None, "file"),
    ],
)
def test_what_a_file_is_called(raw: str | None, content_type: str | None, name: str) -> None:
    assert safe_name(raw, content_type) == name


@pytest.mark.parametrize(
    ("data", "content_type", "length_ms"),
    [
        (samples.wav(length_ms=750), "audio/wav", 750),
        (samples.ogg(length_ms=4200), "audio/ogg", 4200),
        (b"\xff\xfb\x90\x64" + b"\0" * 15_996, "audio/mpeg", 1000),
        (b"moov" + b"mvhd" + b"\0" * 12 + b"\0\0\x03\xe8" + b"\0\0\x0b\xb8", "audio/mp4", 3000),
        # By size, at the lowest rate of speech, where the container tells nothing.
        (b"x" * 3000, "audio/aac", 2000),
        (b"OggS", "audio/ogg", 3),
        (b"RIFF....WAVE", "audio/wav", 8),
    ],
)
def test_how_long_a_recording_lasts(data: bytes, content_type: str, length_ms: int) -> None:
    assert duration_ms(data, content_type) == length_ms


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["disk", "bucket"])
async def test_a_store_keeps_files(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    store: MediaStore = DiskStore(folder) if kind == "disk" else BucketStore(MemoryStore())
    tenant, file = uuid4(), uuid4()
    await store.put(tenant, file, b"first")
    await store.put(tenant, file, b"0123456789" * 10_000)
    assert await store.exists(tenant, file)
    assert not await store.exists(uuid4(), file), "another tenant's"
    assert len(await store.read(tenant, file)) == 100_000
    part = b"".join([piece async for piece in store.stream(tenant, file, start=5, length=70_000)])
    assert part == (b"0123456789" * 10_000)[5:70_005]
    await store.delete(tenant, file)
    await store.delete(tenant, file)
    with pytest.raises(FileNotFoundError):
        await store.read(tenant, file)
    with pytest.raises(FileNotFoundError):
        await anext(store.stream(tenant, file, start=0, length=1))


@pytest.mark.anyio
async def test_a_disk_shows_files_to_nobody_else(tmp_path: Path) -> None:
    store, tenant, file = DiskStore(tmp_path / "media"), uuid4(), uuid4()
    await store.put(tenant, file, b"x")
    (path,) = (tmp_path / "media").rglob(str(file))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (path.parent, tmp_path / "media")} == {0o700}
    assert list(path.parent.iterdir()) == [path], "no half-written file is left"
    await store.delete(tenant, file)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///tmp/parley%20media", DiskStore),
        ("s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1", BucketStore),
        ("s3://bucket", BucketStore),
        ("", DiskStore),
    ],
)
def test_the_store_is_chosen_by_its_url(url: str, kind: type) -> None:
    assert isinstance(open_store(Settings(media_url=url)), kind)


@pytest.mark.parametrize("url", ["file://host/path", "ftp://x/y", "s3:///prefix"])
def test_a_url_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MEDIA_URL"):
        open_store(Settings(media_url=url))


def test_production_names_its_store() -> None:
    with pytest.raises(ConfigurationError, match="MEDIA_URL"):
        open_store(Settings(environment="production"))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 10)),
        ("bytes=90-500", (90, 10)),
        ("bytes=-5", (95, 5)),
        ("bytes=-500", (0, 100)),
        ("bytes=5-1", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=-", None),
    ],
)
def test_ranges(header: str, part: tuple[int, int] | None) -> None:
    assert read_range(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_outside_the_file(header: str) -> None:
    with pytest.raises(RangeError):
        read_range(header, 100)
