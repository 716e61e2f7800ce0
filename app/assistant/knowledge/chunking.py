"""Cutting a document into passages: what stands under one heading together, never too long.

Each passage keeps its document's title and the path of its headings, so that near-duplicates
("Harbour branch", "Station branch") stay apart. A long section's passages share a sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.assistant.knowledge.documents import Block, Document

TOKENS_MAX = 220
"""Of a passage's body. Small embedding models read 256 tokens, title and headings included."""
CHUNKS_MAX = 5_000
_TOKENS_PER_WORD = 1.3
_LETTERS_PER_TOKEN = 4
_BYTES_PER_TOKEN = 5
_SENTENCE = re.compile(r"(?<=[.!?。؟])\s+|\n+")
_OVERLAP_TOKENS_MAX = 40
_HEADING_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to be stored. ``heading`` is the path of headings, `` › `` between them."""

    title: str
    heading: str
    body: str
    tokens: int

    @property
    def embedded(self) -> str:
        """What is embedded: title and headings count."""
        return "\n".join(part for part in (self.title, self.heading, self.body) if part)


def tokens_of(text: str) -> int:
    """Estimate a text's tokens; scripts without blanks count by letters."""
    return max(
        round(len(text.split()) * _TOKENS_PER_WORD), len(text.encode()) // _BYTES_PER_TOKEN, 1
    )


def chunks_of(document: Document, title: str) -> list[Chunk]:
    """Return a document's passages in reading order, at most 5 000."""
    found: list[Chunk] = []
    for heading, bodies in _sections(document.blocks, document.title):
        for body in _packed(bodies):
            found.append(Chunk(title, heading, body, tokens_of(f"{title} {heading} {body}")))
            if len(found) == CHUNKS_MAX:
                return found
    return found


def _sections(blocks: Sequence[Block], title: str) -> Iterator[tuple[str, list[str]]]:
    path: list[tuple[int, str]] = []
    bodies: list[str] = []
    for place, block in enumerate(blocks):
        if place == 0 and block.level and block.text.lower() == title.lower():
            continue  # the title says so already
        if not block.level:
            bodies.append(block.text)
            continue
        if bodies:
            yield _path_text(path), bodies
            bodies = []
        elif path and path[-1][0] >= block.level:
            # A heading over nothing still says something.
            yield _path_text(path[:-1]), [path[-1][1]]
        path = [(level, text) for level, text in path if level < block.level]
        path.append((block.level, block.text))
    if bodies:
        yield _path_text(path), bodies
    elif path:
        yield _path_text(path[:-1]), [path[-1][1]]


def _path_text(path: list[tuple[int, str]]) -> str:
    return " › ".join(text for _, text in path)[:_HEADING_CHARS_MAX]


def _packed(bodies: Sequence[str]) -> Iterator[str]:
    """Blocks of one section in passages of at most ``TOKENS_MAX``."""
    parts: list[str] = []
    size = 0
    for piece in _pieces(bodies):
        more = tokens_of(piece)
        if parts and size + more > TOKENS_MAX:
            yield "\n".join(parts)
            last = parts[-1]
            shared = tokens_of(last) <= min(_OVERLAP_TOKENS_MAX, TOKENS_MAX - more)
            parts = [last] if shared else []
            size = tokens_of(last) if shared else 0
        parts.append(piece)
        size += more
    if parts:
        yield "\n".join(parts)


def _pieces(bodies: Sequence[str]) -> Iterator[str]:
    """Blocks, the long ones by sentence, monstrous sentences by words."""
    for body in bodies:
        if tokens_of(body) <= TOKENS_MAX:
            yield body
            continue
        for sentence in _SENTENCE.split(body):
            if tokens_of(sentence) <= TOKENS_MAX:
                if sentence.strip():
                    yield sentence.strip()
                continue
            yield from _cut(sentence)


def _cut(sentence: str) -> Iterator[str]:
    step = TOKENS_MAX * _LETTERS_PER_TOKEN
    words, size = sentence.split(), 0
    line: list[str] = []
    for word in words:
        for start in range(0, len(word), step):
            part = word[start : start + step]
            if line and size + len(part) > step:
                yield " ".join(line)
                line, size = [], 0
            line.append(part)
            size += len(part) + 1
    if line:
        yield " ".join(line)
