"""A document as readers hand it on: a title and blocks of text under headings."""

import re
from dataclasses import dataclass, field

CHARS_MAX = 4_000_000
"""Text of one document; a book has a million."""
_BLANK = re.compile(r"\s+")
_HASH = re.compile(r"[0-9a-f]{8,}", re.IGNORECASE)
_PARTS = re.compile(r"[\W_]+", re.UNICODE)
TITLE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item or a table's row; with a ``level`` it is a heading (1 is widest)."""

    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """What was read.

    Attributes:
        title: the document's own; empty when it has none.
        links: absolute or relative targets, as they stand in a page.
        follow: False when the page asks robots not to follow its links.
        index: False when the page asks not to be indexed.
    """

    title: str
    blocks: list[Block]
    links: list[str] = field(default_factory=list)
    follow: bool = True
    index: bool = True

    @property
    def text(self) -> str:
        """All of the text, a block a line."""
        return "\n".join(block.text for block in self.blocks)


class UnreadableError(Exception):
    """A document cannot be read; the reason is a word that the pages have a sentence for."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def squeezed(text: str) -> str:
    """Return a text with each run of blanks as one."""
    return _BLANK.sub(" ", text).strip()


def row_text(header: list[str], cells: list[str]) -> str:
    """Return a table's row as a sentence that needs no header: ``Part: A1; Price: 4``."""
    if not header:
        return " | ".join(c for c in cells if c)
    named = zip([*header, *[""] * len(cells)], cells, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell)


def titled(title: str, name: str) -> str:
    """Return a document's title, with what its file or path name adds to it.

    ``Price list`` in ``price-list-2024.pdf`` becomes ``Price list (2024)``: near-duplicates often
    differ in nothing but their names.
    """
    title = squeezed(title)
    stem = re.sub(r"\.[a-z0-9]{2,5}$", "", name.rsplit("/", 1)[-1], flags=re.IGNORECASE)
    parts = [p for p in _PARTS.split(stem) if p and not _HASH.fullmatch(p)]
    if not title:
        return squeezed(" ".join(parts)).capitalize()[:TITLE_CHARS_MAX] or name[:TITLE_CHARS_MAX]
    lowered = title.lower()
    more = [p for p in parts if p.lower() not in lowered and p.lower() not in {"index", "html"}]
    added = f" ({' '.join(more)})" if more else ""
    return f"{title[: TITLE_CHARS_MAX - 60]}{added[:60]}"
