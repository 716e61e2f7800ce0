"""Reading PDF and Word files; meant for a process of its own that may be killed."""

import io
import re
import zipfile
from collections import Counter
from typing import Any

from app.assistant.knowledge.documents import (
    CHARS_MAX,
    Block,
    Document,
    UnreadableError,
    row_text,
    squeezed,
)
from app.assistant.knowledge.readers.plain import from_text

PAGES_MAX = 500
_UNPACKED_BYTES_MAX = 200 * 1024 * 1024
_ENTRIES_MAX = 5_000
_CHARS_PER_PAGE_MIN = 15
_RUNNING_SHARE = 0.6
_RUNNING_PAGES_MIN = 4
_BROKEN_WORD = re.compile(r"(\w)-\n(?=[a-z])")
_LINE_CHARS_WRAPPED = 55


def read_pdf(body: bytes) -> Document:
    """Read a PDF's text, page by page.

    Raises:
        UnreadableError: ``encrypted``, ``scan_without_text``, ``too_many_pages``, ``damaged``.
    """
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("encrypted")
        if len(reader.pages) > PAGES_MAX:
            raise UnreadableError("too_many_pages")
        pages = [_page_text(page) for page in reader.pages]
        title = squeezed(str(reader.metadata.title or "") if reader.metadata else "")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableError("damaged") from None
    if sum(map(len, pages)) < _CHARS_PER_PAGE_MIN * max(1, len(pages)):
        raise UnreadableError("scan_without_text")
    pages = _without_running_lines(pages)
    found = from_text("\n\n".join(_flowing(page) for page in pages)[:CHARS_MAX])
    machine_made = not title or re.search(
        r"\.(docx?|pdf|indd|pptx?)$|^untitled", title, re.IGNORECASE
    )
    return Document(title=found.title if machine_made else title, blocks=found.blocks)


def _page_text(page: Any) -> str:
    return page.extract_text() or ""


def _without_running_lines(pages: list[str]) -> list[str]:
    """Drop headers and footers: first and last lines that most pages share."""
    if len(pages) < _RUNNING_PAGES_MIN:
        return pages
    lines = [page.strip().split("\n") for page in pages]
    counts = Counter(
        re.sub(r"\d+", "#", edge.strip()) for page in lines for edge in {page[0], page[-1]}
    )
    running = {text for text, n in counts.items() if n >= _RUNNING_SHARE * len(pages)}

    def kept(page: list[str]) -> str:
        inner = list(page)
        for place in (0, -1):
            if inner and re.sub(r"\d+", "#", inner[place].strip()) in running:
                inner.pop(place)
        return "\n".join(inner)

    return [kept(page) for page in lines]


def _flowing(page: str) -> str:
    """Text whose wrapped lines are one paragraph again; a short line ends one."""
    lines = _BROKEN_WORD.sub(r"\1", page).split("\n")
    out: list[str] = []
    for line in lines:
        out.append(line)
        if len(line.strip()) < _LINE_CHARS_WRAPPED:
            # A heading, or a paragraph's last line.
            out.append("")
    return "\n".join(out)


def read_docx(body: bytes) -> Document:
    """Read a Word document's paragraphs and tables in their order.

    Raises:
        UnreadableError: ``damaged``, ``too_large`` (unpacked), ``encrypted``.
    """
    if body.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableError("encrypted")  # an encrypted one, or the format of before 2007
    _refuse_bomb(body)
    import docx
    from docx.table import Table
    from docx.text.paragraph import Paragraph

    try:
        document = docx.Document(io.BytesIO(body))
        blocks: list[Block] = []
        for item in document.iter_inner_content():
            if isinstance(item, Paragraph):
                blocks += _word_paragraph(item)
            elif isinstance(item, Table):
                blocks += _word_table(item)
        title = squeezed(document.core_properties.title or "")
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, SyntaxError):
        raise UnreadableError("damaged") from None
    return Document(title=title or _first_heading(blocks), blocks=blocks)


def _refuse_bomb(body: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:
        raise UnreadableError("damaged") from None
    if len(entries) > _ENTRIES_MAX or sum(e.file_size for e in entries) > _UNPACKED_BYTES_MAX:
        raise UnreadableError("too_large")


def _word_paragraph(paragraph: Any) -> list[Block]:
    text = squeezed(paragraph.text)
    if not text:
        return []
    style = (paragraph.style.name if paragraph.style is not None else "") or ""
    if style == "Title":
        return [Block(text, 1)]
    match = re.match(r"Heading (\d)", style)
    return [Block(text, int(match[1]) if match else 0)]


def _word_table(table: Any) -> list[Block]:
    rows = [[squeezed(cell.text) for cell in row.cells] for row in table.rows]
    if len(rows) > 1 and all(rows[0]):
        return [Block(row_text(rows[0], row)) for row in rows[1:] if any(row)]
    return [Block(row_text([], row)) for row in rows if any(row)]


def _first_heading(blocks: list[Block]) -> str:
    return next((b.text for b in blocks if b.level), "")
