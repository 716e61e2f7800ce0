"""The stand-in for seeing: what can truly be told of a picture without understanding it.

Its format and size, the colour that a small PNG has most of, and the description that a test
picture carries in itself (a PNG's text chunk, a JPEG's comment).
"""

import base64
import binascii
import struct
import zlib
from collections import Counter
from typing import Any

_PIXELS_MAX = 100_000
_TEXT_KEYS = {b"Description", b"Comment", b"Title"}
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "orange": (240, 140, 20),
    "yellow": (240, 220, 40),
    "green": (30, 160, 60),
    "blue": (30, 80, 210),
    "purple": (130, 50, 170),
    "pink": (240, 140, 190),
    "brown": (130, 80, 40),
}


def pictures(messages: list[dict[str, Any]]) -> list[bytes]:
    """The pictures in the last message, as bytes."""
    content = messages[-1].get("content") if messages else None
    parts = content if isinstance(content, list) else []
    found = []
    for part in parts:
        url = (part.get("image_url") or {}).get("url") if isinstance(part, dict) else None
        head, comma, data = str(url or "").partition(",")
        if comma and head.startswith("data:image/"):
            try:
                found.append(base64.b64decode(data, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def describe(image: bytes) -> str:
    """One sentence about a picture; the word that says so when it is none."""
    try:
        told = _png(image) or _jpeg(image) or _other(image)
    except (struct.error, IndexError, zlib.error):
        told = None
    return told or "UNREADABLE"


def _sentence(kind: str, width: int, height: int, colour: str | None, text: str) -> str:
    parts = [f"A {kind} picture of {width} × {height} pixels"]
    if colour:
        parts.append(f", mostly {colour}")
    parts.append(f". {text}" if text else ".")
    return "".join(parts)


def _png(image: bytes) -> str | None:
    if not image.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height, depth, kind = struct.unpack_from(">IIBB", image, 16)
    text, packed, at = "", b"", 8
    while at + 8 <= len(image):
        size, name = struct.unpack_from(">I4s", image, at)
        body = image[at + 8 : at + 8 + size]
        key, _, value = body.partition(b"\0")
        if name == b"tEXt" and key in _TEXT_KEYS:
            text = value.decode(errors="replace").strip()
        elif name == b"iTXt" and key in _TEXT_KEYS:
            text = value.split(b"\0", 4)[-1].decode(errors="replace").strip()
        elif name == b"IDAT":
            packed += body
        at += 12 + size
    small = width * height <= _PIXELS_MAX and depth == 8 and kind in _CHANNELS  # noqa: PLR2004
    colour = _colour(zlib.decompress(packed), width, _CHANNELS[kind]) if small and packed else None
    return _sentence("PNG", width, height, colour, text)


def _colour(raw: bytes, width: int, channels: int) -> str | None:
    """The commonest colour of the rows that are stored as they are."""
    line = width * channels + 1
    counted: Counter[str] = Counter()
    for start in range(0, len(raw) - line + 1, line):
        if raw[start] != 0:
            continue
        for at in range(start + 1, start + line, channels):
            pixel = raw[at : at + channels]
            counted[_nearest(pixel[:3] if channels >= 3 else pixel[:1] * 3)] += 1  # noqa: PLR2004
    return counted.most_common(1)[0][0] if counted else None


def _nearest(pixel: bytes) -> str:
    def distance(name: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(pixel, _COLOURS[name], strict=True))

    return min(_COLOURS, key=distance)


def _jpeg(image: bytes) -> str | None:
    if not image.startswith(b"\xff\xd8"):
        return None
    width = height = 0
    text, at = "", 2
    while at + 4 <= len(image) and image[at] == 0xFF:  # noqa: PLR2004 - a marker
        marker, size = image[at + 1], struct.unpack_from(">H", image, at + 2)[0]
        if marker in {0xC0, 0xC1, 0xC2}:
            height, width = struct.unpack_from(">HH", image, at + 5)
        elif marker == 0xFE:  # noqa: PLR2004 - a comment
            text = image[at + 4 : at + 2 + size].decode(errors="replace").strip()
        elif marker == 0xDA:  # noqa: PLR2004 - the picture itself follows
            break
        at += 2 + size
    return _sentence("JPEG", width, height, None, text)


def _other(image: bytes) -> str | None:
    if image.startswith(b"GIF8"):
        width, height = struct.unpack_from("<HH", image, 6)
        return _sentence("GIF", width, height, None, "")
    if image[8:12] == b"WEBP":
        return "A WebP picture."
    return None
