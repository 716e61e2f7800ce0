"""Reading text, Markdown and CSV: in any usual encoding, with their headings and rows."""

import csv
import io
import re

from app.assistant.knowledge.documents import (
    CHARS_MAX,
    Block,
    Document,
    UnreadableError,
    row_text,
    squeezed,
)

_ROWS_MAX = 20_000
_CELLS_MAX = 60
_HEADING_CHARS_MAX = 90
_HEADING_WORDS_MAX = 12
_QUESTION = re.compile(
    r"^\s*(?:Q|Question|Pregunta|Pergunta|Frage)\s*\d*\s*[:.)]\s*", re.IGNORECASE
)
_ANSWER = re.compile(r"^\s*(?:A|Answer|Respuesta|Resposta|Antwort)\s*\d*\s*[:.)]\s*", re.IGNORECASE)
_UNDERLINE = re.compile(r"^\s*(=|-|~|\*){3,}\s*$")
_LIST_ITEM = re.compile(r"^\s*(?:[-*•+]|\d{1,3}[.)])\s+")
_MD_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_MD_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MD_MARKS = re.compile(r"(\*\*|__|`)(.+?)\1")
_MD_RULE = re.compile(r"^\s*\|?[\s:|-]+\|[\s:|-]*$")
_UNPRINTABLE_SHARE_MAX = 0.05


def decoded(body: bytes) -> str:
    """Decode UTF-8, UTF-16 with its mark, else Windows-1252; UnreadableError for binary data."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = body.decode("utf-16", errors="replace")
    else:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = body.decode("cp1252", errors="replace")
    text = text[:CHARS_MAX]
    odd = sum(1 for c in text[:10_000] if not c.isprintable() and c not in "\r\n\t\f")
    if odd > _UNPRINTABLE_SHARE_MAX * max(1, len(text[:10_000])):
        raise UnreadableError("not_text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(body: bytes) -> Document:
    """Read plain text."""
    return from_text(decoded(body))


def from_text(text: str) -> Document:
    """Find headings, questions and paragraphs in plain text."""
    paragraphs = [p for p in re.split(r"\n\s*\n", text) if p.strip()]
    blocks: list[Block] = []
    for place, paragraph in enumerate(paragraphs):
        last = place + 1 == len(paragraphs)
        blocks += _paragraph(paragraph.strip("\n").split("\n"), alone_heads=not last)
    first = blocks[0] if blocks else None
    return Document(title=first.text if first and first.level else "", blocks=blocks)


def _paragraph(lines: list[str], *, alone_heads: bool) -> list[Block]:
    found: list[Block] = []
    if len(lines) > 1 and _UNDERLINE.match(lines[1]):
        found.append(Block(squeezed(lines[0]), 1 if "=" in lines[1] else 2))
        lines = lines[2:]
    elif _is_heading(lines[0]) and (len(lines) > 1 or alone_heads):
        found.append(Block(squeezed(_QUESTION.sub("", lines[0])), _level(lines[0])))
        lines = lines[1:]
    prose: list[str] = []
    for raw in lines:
        line = _ANSWER.sub("", raw)
        asks = bool(_QUESTION.match(raw))
        if (asks or _LIST_ITEM.match(line)) and prose:
            found.append(Block(squeezed(" ".join(prose))))
            prose = []
        if asks:
            found.append(Block(squeezed(_QUESTION.sub("", line)), 6))
        elif line.strip() and not _UNDERLINE.match(line):
            prose.append(line)
    if prose:
        found.append(Block(squeezed(" ".join(prose))))
    return [b for b in found if b.text]


def _level(line: str) -> int:
    if line.strip().endswith("?") or _QUESTION.match(line):
        return 6
    return 2 if line.strip().isupper() else 3


def _is_heading(line: str) -> bool:
    text = line.strip()
    if _QUESTION.match(text):
        return True
    if not text or len(text) > _HEADING_CHARS_MAX or _LIST_ITEM.match(text) or _ANSWER.match(text):
        return False
    if text.endswith("?"):
        return True
    plain = not text.endswith((".", ",", ";", "!", ":")) and ": " not in text
    return plain and len(text.split()) <= _HEADING_WORDS_MAX


def read_markdown(body: bytes) -> Document:
    """Read Markdown; marks of emphasis and link targets are left out."""
    blocks: list[Block] = []
    prose: list[str] = []
    header: list[str] = []

    def flush() -> None:
        text = squeezed(" ".join(prose))
        prose.clear()
        if text:
            blocks.append(Block(text))

    lines = decoded(body).split("\n")
    for place, raw in enumerate(lines):
        line = _MD_MARKS.sub(r"\2", _MD_LINK.sub(r"\1", raw))
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if match := _MD_HEADING.match(line):
            flush()
            blocks.append(Block(squeezed(match[2]), len(match[1])))
        elif line.lstrip().startswith("|"):
            flush()
            cells = [squeezed(c) for c in line.strip().strip("|").split("|")]
            if _MD_RULE.match(following):
                header = cells
            elif not _MD_RULE.match(line):
                blocks.append(Block(row_text(header, cells)))
        elif not line.strip() or _UNDERLINE.match(line):
            flush()
            header = []
        elif _LIST_ITEM.match(line):
            flush()
            prose.append(_LIST_ITEM.sub("", line))
        else:
            prose.append(_ANSWER.sub("", line))
    flush()
    first = next((b.text for b in blocks if b.level == 1), "")
    return Document(title=first, blocks=blocks)


def read_csv(body: bytes) -> Document:
    """Read a table: each row becomes a sentence with its column's names."""
    text = decoded(body)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:8_192], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    blocks: list[Block] = []
    header: list[str] = []
    try:
        for row in csv.reader(io.StringIO(text), dialect):
            cells = [squeezed(c) for c in row[:_CELLS_MAX]]
            if not any(cells):
                continue
            if not header:
                header = cells
                continue
            blocks.append(Block(row_text(header, cells)))
            if len(blocks) == _ROWS_MAX:
                break
    except csv.Error:
        raise UnreadableError("not_a_table") from None
    if not blocks and header:
        blocks = [Block(" | ".join(header))]
    return Document(title="", blocks=blocks)
