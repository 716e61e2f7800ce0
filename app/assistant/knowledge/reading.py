"""Reading an uploaded or fetched file: which reader, where it runs, and how long it may take."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable

import msgspec

from app.assistant.knowledge.documents import Block, Document, UnreadableError
from app.assistant.knowledge.readers import plain
from app.assistant.knowledge.readers.html import read_html

BYTES_MAX = 20 * 1024 * 1024
TIME_MAX_S = 60.0
EXTENSIONS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
}
MEDIA_TYPES = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/csv": "csv",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
_READERS: dict[str, Callable[[bytes], Document]] = {
    "html": read_html,
    "text": plain.read_text,
    "markdown": plain.read_markdown,
    "csv": plain.read_csv,
}
# Their readers walk what others wrote in a complicated format: not in a process that answers.
_APART = frozenset({"pdf", "docx"})
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV")


class _Wire(msgspec.Struct):
    title: str = ""
    blocks: list[Block] = []
    reason: str | None = None


def kind_of(name: str, body: bytes, media_type: str = "") -> str:
    """Return the kind of a file, from its first bytes, its name and its declared type.

    Raises:
        UnreadableError: ``unknown_kind``.
    """
    if body.startswith(b"%PDF-"):
        return "pdf"
    known = MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    named = EXTENSIONS.get(os.path.splitext(name.lower())[1])  # noqa: PTH122 - a name, no path
    kind = named or known
    if body.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        if kind == "docx":
            return kind
        raise UnreadableError("unknown_kind")
    if kind is None or kind in _APART:
        raise UnreadableError("unknown_kind" if kind is None else "damaged")
    return kind


async def read(kind: str, body: bytes) -> Document:
    """Read a file without holding the loop up.

    Raises:
        UnreadableError: with the reason as a word that the pages have a sentence for.
    """
    if len(body) > BYTES_MAX:
        raise UnreadableError("too_large")
    if kind in _APART:
        document = await _read_apart(kind, body)
    else:
        document = await asyncio.to_thread(_READERS[kind], body)
    if not any(block.text.strip() for block in document.blocks):
        raise UnreadableError("empty")
    return document


async def _read_apart(kind: str, body: bytes) -> Document:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "app.assistant.knowledge.readers.process",
        kind,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # No secrets go where a stranger's file is opened.
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    try:
        async with asyncio.timeout(TIME_MAX_S):
            answer, _ = await process.communicate(body)
    except TimeoutError:
        raise UnreadableError("too_slow") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        told = msgspec.json.decode(answer, type=_Wire)
    except msgspec.DecodeError:
        # Killed by a limit, or by a defect of the library: the file is at fault either way.
        raise UnreadableError("damaged") from None
    if told.reason:
        raise UnreadableError(told.reason)
    return Document(title=told.title, blocks=told.blocks)
