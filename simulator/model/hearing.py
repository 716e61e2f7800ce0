"""The stand-in for hearing: a recording's words are read from the recording itself.

Nothing is recognised here. Test recordings carry their words in a comment of their container, as
a tag of Ogg (`TRANSCRIPT=…`) or as the comment chunk of a WAV file; any other recording is
silence, with which a real model answers an empty text too.
"""

import struct

OGG_TAG = b"TRANSCRIPT="
_TEXT_BYTES_MAX = 8_000


def words_of(audio: bytes) -> str:
    """The words that a recording carries; empty when it carries none."""
    if audio.startswith(b"OggS"):
        return _ogg(audio)
    if audio.startswith(b"RIFF") and audio[8:12] == b"WAVE":
        return _wav(audio)
    return ""


def _ogg(audio: bytes) -> str:
    at = audio.find(OGG_TAG)
    if at < 4:  # noqa: PLR2004 - the comment's length stands before it
        return ""
    (length,) = struct.unpack_from("<I", audio, at - 4)
    comment = audio[at : at + min(length, _TEXT_BYTES_MAX)]
    return comment[len(OGG_TAG) :].decode(errors="replace").strip()


def _wav(audio: bytes) -> str:
    at = 12
    while at + 8 <= len(audio):
        name, size = struct.unpack_from("<4sI", audio, at)
        if name == b"LIST" and audio[at + 8 : at + 12] == b"INFO":
            return _comment(audio[at + 12 : at + 8 + size])
        at += 8 + size + size % 2
    return ""


def _comment(info: bytes) -> str:
    at = 0
    while at + 8 <= len(info):
        name, size = struct.unpack_from("<4sI", info, at)
        if name == b"ICMT":
            text = info[at + 8 : at + 8 + min(size, _TEXT_BYTES_MAX)]
            return text.rstrip(b"\0").decode(errors="replace").strip()
        at += 8 + size + size % 2
    return ""
