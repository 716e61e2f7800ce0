"""What a file really is, by its first bytes; and a name for it that is safe to show.

What a sender claims decides nothing: a file is taken as what its bytes say, and only if that
stands on the list. Programs are on no list, whatever they are called.
"""

import re
import unicodedata
import zipfile
from io import BytesIO

_HEAD_BYTES = 4096
_NAME_CHARS_MAX = 120
_ZIP_ENTRIES_MAX = 5_000
_ZIP_ENTRY = b"PK\x01\x02"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_EXECUTABLE = (
    b"MZ",  # Windows
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",  # macOS, in its four spellings
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"dex\n",  # Android
    b"#!",
    b"\x4c\x00\x00\x00\x01\x14\x02\x00",  # a Windows shortcut
)
_AUDIO_BRANDS = {b"M4A ", b"M4B "}
_HEIC_BRANDS = {b"heic", b"heix", b"mif1", b"hevc", b"avif"}
_OFFICE = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
}
_TEXT_TYPES = {"text/csv", "text/markdown", "text/html", "text/plain", "text/vcard"}
_TEXT_CONTROLS = set(range(32)) - {9, 10, 12, 13, 27}

TYPES: dict[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/heic"}),
    "sticker": frozenset({"image/webp", "image/png", "image/gif"}),
    "audio": frozenset(
        {
            "audio/ogg",
            "audio/mpeg",
            "audio/mp4",
            "audio/wav",
            "audio/flac",
            "audio/amr",
            "audio/aac",
            "video/webm",
        }
    ),
    "video": frozenset({"video/mp4", "video/webm", "video/quicktime"}),
    "document": frozenset(
        {
            "application/pdf",
            "application/rtf",
            "application/zip",
            *_OFFICE.values(),
            *_TEXT_TYPES,
            "image/jpeg",
            "image/png",
            "image/gif",
            "image/webp",
            "image/heic",
            "audio/ogg",
            "audio/mpeg",
            "audio/mp4",
            "audio/wav",
            "video/mp4",
            "video/webm",
            "video/quicktime",
        }
    ),
}
"""Which types are taken as which kind of file."""

_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/heic": "heic",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/amr": "amr",
    "audio/aac": "aac",
    "audio/webm": "webm",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/zip": "zip",
    "text/csv": "csv",
    "text/markdown": "md",
    "text/html": "html",
    "text/vcard": "vcf",
    "text/plain": "txt",
    **dict(zip(_OFFICE.values(), ("docx", "xlsx", "pptx"), strict=True)),
}


def sniff(data: bytes, *, claimed: str | None = None) -> str | None:
    """Return the MIME type that a file's bytes show; None for programs and the unknown.

    ``claimed`` only chooses between kinds of plain text, which look alike.
    """
    if not data or data.startswith(_EXECUTABLE):
        return None
    for offset, magic, content_type in _MAGIC:
        if data.startswith(magic, offset):
            return None if content_type == "application/x-ole-storage" else content_type
    if data[4:8] == b"ftyp":
        return _boxed(data[8:12])
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    return _frames(data) or _text(data, claimed)


def safe_name(raw: str | None, content_type: str | None, *, otherwise: str = "file") -> str:
    """Return a file name that is one: no path, no hidden characters, the right extension.

    Characters that turn the reading direction (``exe.pdf`` that reads as ``fdp.exe``) and
    controls are taken out, and the extension is that of what the file really is (where that is
    known yet).
    """
    name = unicodedata.normalize("NFC", raw or "")
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    name = re.sub(r"\s+", " ", re.sub(r'[<>:"|?*]', "_", name)).strip(" .")
    if content_type is None:
        return name[:_NAME_CHARS_MAX].strip(" .") or otherwise
    extension = _EXTENSIONS.get(content_type, "bin")
    stem, dot, given = name.rpartition(".")
    known = dot and given.lower() in {extension, "jpeg" if extension == "jpg" else extension}
    if not known:
        stem = name
    stem = stem.strip(" .")[:_NAME_CHARS_MAX].strip(" .") or otherwise
    return f"{stem}.{given.lower() if known else extension}"


def _frames(data: bytes) -> str | None:
    """Tell AAC and MP3 that begin with a frame: eleven bits of sync, then no forbidden value."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:  # noqa: PLR2004
        return None
    if data[1] & 0xF6 == 0xF0:  # noqa: PLR2004
        return "audio/aac"
    forbidden = data[2] >> 4 == 15 or data[2] >> 2 & 3 == 3 or data[1] >> 1 & 3 == 0  # noqa: PLR2004
    return None if forbidden else "audio/mpeg"


def _boxed(brand: bytes) -> str:
    if brand in _AUDIO_BRANDS:
        return "audio/mp4"
    if brand in _HEIC_BRANDS:
        return "image/heic"
    return "video/quicktime" if brand == b"qt  " else "video/mp4"


def _zipped(data: bytes) -> str | None:
    """Tell office files from other archives; those with a program inside are refused."""
    # Reading the list of millions of empty files takes a gigabyte: they are counted first.
    if data.count(_ZIP_ENTRY) > _ZIP_ENTRIES_MAX:
        return None
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return None
    if any(n.endswith("vbaProject.bin") or n == "AndroidManifest.xml" for n in names):
        return None
    return next((kind for entry, kind in _OFFICE.items() if entry in names), "application/zip")


def _text(data: bytes, claimed: str | None) -> str | None:
    """Tell plain text; what is not UTF-8 (old tables of figures) has to be claimed to be text."""
    head = data[:_HEAD_BYTES]
    if _TEXT_CONTROLS.intersection(head):
        return None
    plain = (claimed or "").partition(";")[0].strip().lower()
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut_off = error.start >= len(head) - 4 and len(data) > _HEAD_BYTES
        if not cut_off and plain not in _TEXT_TYPES:
            return None
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    return plain if plain in _TEXT_TYPES - {"text/html"} else "text/plain"
