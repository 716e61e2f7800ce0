"""Small files of every kind, made here: recordings that carry their words, pictures, programs."""

import struct
import zlib


def wav(words: str = "", *, length_ms: int = 500) -> bytes:
    """A silent recording; its words stand in its comment."""
    rate = 8000
    samples = bytes((128,)) * (rate * length_ms // 1000)
    text = words.encode() + b"\0"
    comment = struct.pack("<4sI", b"ICMT", len(text)) + text + b"\0" * (len(text) % 2)
    info = b"LIST" + struct.pack("<I", 4 + len(comment)) + b"INFO" + comment
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    body = b"WAVE" + form + info + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def ogg(words: str = "", *, length_ms: int = 2000) -> bytes:
    """An Opus file as far as a look at it goes: head, tags, and a last page with its position."""
    tag = f"TRANSCRIPT={words}".encode()
    comments = struct.pack("<I", 1) + struct.pack("<I", len(tag)) + tag
    tags = b"OpusTags" + struct.pack("<I", 4) + b"test" + comments
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    pages = ((2, 0, head), (0, 0, tags), (4, 312 + 48 * length_ms, b"\0" * 20))
    return b"".join(
        b"OggS" + struct.pack("<BBqIIIBB", 0, kind, position, 1, n, 0, 1, 0) + content
        for n, (kind, position, content) in enumerate(pages)
    )


def png(description: str = "", *, colour: tuple[int, int, int] = (30, 80, 210)) -> bytes:
    """A picture of 12 × 8 pixels in one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = (b"\0" + bytes(colour) * 12) * 8
    text = chunk(b"tEXt", b"Description\0" + description.encode()) if description else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 12, 8, 8, 2, 0, 0, 0))
        + text
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def mp4(brand: bytes = b"mp42") -> bytes:
    """A video as far as its first box."""
    return struct.pack(">I4s4sI", 24, b"ftyp", brand, 0) + b"isommp42" + b"\0" * 40


PROGRAM = b"MZ\x90\x00" + b"\0" * 60
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
