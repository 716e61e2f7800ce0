"""How long a recording lasts, read from its container: nothing is decoded.

A price is made of it, so what cannot be read is taken from the size at the lowest rate that
speech is recorded with: too long rather than too short.
"""

import struct

_OPUS_RATE_HZ = 48_000
_SPEECH_BYTES_PER_S = 1_500
_MP3_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_SCAN_BYTES = 64 * 1024
_ID3_HEAD_BYTES = 10


def duration_ms(data: bytes, content_type: str) -> int:
    """Return a recording's length in milliseconds, from its container or else from its size."""
    readers = {"audio/ogg": _ogg, "audio/wav": _wav, "audio/mp4": _mp4, "audio/mpeg": _mp3}
    reader = readers.get(content_type)
    try:
        found = reader(data) if reader else None
    except (struct.error, IndexError, ZeroDivisionError):
        found = None
    if found is None or found <= 0:
        found = len(data) / _SPEECH_BYTES_PER_S
    return max(1, round(found * 1000))


def _ogg(data: bytes) -> float | None:
    """Take the last page's sample position; Opus counts at 48 kHz whatever it was recorded at."""
    last = data.rfind(b"OggS")
    (position,) = struct.unpack_from("<q", data, last + 6)
    head = data[:200]
    if b"OpusHead" in head:
        skip = struct.unpack_from("<H", head, head.index(b"OpusHead") + 10)[0]
        return float(position - skip) / _OPUS_RATE_HZ
    if b"\x01vorbis" in head:
        rate: int = struct.unpack_from("<I", head, head.index(b"\x01vorbis") + 12)[0]
        return float(position) / rate
    return None


def _wav(data: bytes) -> float | None:
    rate, at = 0, 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            (rate,) = struct.unpack_from("<I", data, at + 16)
        elif name == b"data":
            return float(min(size, len(data) - at - 8)) / rate
        at += 8 + size + size % 2
    return None


def _mp4(data: bytes) -> float | None:
    at = data.find(b"mvhd")
    if at < 0:
        return None
    if data[at + 4] == 1:
        scale, length = struct.unpack_from(">IQ", data, at + 24)
    else:
        scale, length = struct.unpack_from(">II", data, at + 16)
    return float(length) / float(scale)


def _mp3(data: bytes) -> float | None:
    """Take the first frame's bit rate for all of them, as speech recorders keep one."""
    start = 0
    if data.startswith(b"ID3"):
        a, b, c, d = data[6:_ID3_HEAD_BYTES]
        start = _ID3_HEAD_BYTES + (a << 21 | b << 14 | c << 7 | d)
    for at in range(start, min(start + _MP3_SCAN_BYTES, len(data) - 4)):
        # MPEG-1 layer III; other layers and versions are left to the estimate by size.
        if data[at] == 0xFF and data[at + 1] & 0xFE == 0xFA:  # noqa: PLR2004
            kbits = _MP3_KBITS[data[at + 2] >> 4]
            return (len(data) - at) * 8 / (kbits * 1000)
    return None
