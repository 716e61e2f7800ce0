"""Readers: what becomes of each kind of file, and the words for what cannot be read."""

import io
import zipfile

import docx
import pypdf
import pytest

from app.assistant.knowledge.chunking import TOKENS_MAX, chunks_of, tokens_of
from app.assistant.knowledge.documents import Block, Document, UnreadableError, titled
from app.assistant.knowledge.languages import detect, is_foreign
from app.assistant.knowledge.readers.html import read_html
from app.assistant.knowledge.readers.office import read_docx, read_pdf
from app.assistant.knowledge.readers.plain import read_csv, read_markdown, read_text
from app.assistant.knowledge.reading import kind_of, read
from app.assistant.knowledge.terms import codes

pytestmark = pytest.mark.anyio


def pdf(*pages: str) -> bytes:
    """A PDF by hand: one line of text a page; an empty line makes a page without text."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n, text in enumerate(pages):
        content = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else ""
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {5 + 2 * n} 0 R>>"
        )
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    xref = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF".encode()
    return out


def word(*, table: bool = False) -> bytes:
    document = docx.Document()
    document.add_heading("Opening hours", 1)
    document.add_paragraph("We open at nine.")
    if table:
        rows = document.add_table(2, 2)
        for cell, text in zip(rows._cells, ("Day", "Opens", "Monday", "9:00"), strict=True):
            cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_html_keeps_the_main_part_with_its_headings_and_tables():
    page = b"""<html><head><title>Prices</title><meta name=robots content="nofollow"></head><body>
    <nav><a href="/a">Menu</a></nav><main><h1>Prices</h1><p>All in <b>euro</b>.</p>
    <table><tr><th>Part</th><th>Price</th></tr><tr><td>A-1</td><td>4</td></tr></table>
    <ul><li>One</li><li>Two<script>evil()</script></li></ul></main><footer>Imprint</footer></body>"""
    found = read_html(page)
    assert found.title == "Prices"
    assert [b.text for b in found.blocks] == [
        "Prices", "All in euro.", "Part: A-1; Price: 4", "One", "Two",
    ]  # fmt: skip
    assert (found.links, found.follow) == (["/a"], False)


def test_html_nested_beyond_reason_is_read():
    assert read_html(b"<div>" * 5_000 + b"deep").blocks[-1].text == "deep"


def test_text_markdown_and_csv():
    text = read_text(b"HOURS\n\nWe open at nine.\n\nQ: Do you deliver?\nA: Yes, we do.")
    assert text.blocks == [
        Block("HOURS", 2),
        Block("We open at nine."),
        Block("Do you deliver?", 6),
        Block("Yes, we do."),
    ]
    marked = read_markdown(b"# Rent\n\n| Bike | Price |\n|---|---|\n| city | 12 |\n\n- **one**\n")
    assert [(b.text, b.level) for b in marked.blocks] == [
        ("Rent", 1), ("Bike: city; Price: 12", 0), ("one", 0),
    ]  # fmt: skip
    rows = read_csv("Artículo;Precio\nPan;3\n".encode("cp1252"))
    assert [b.text for b in rows.blocks] == ["Artículo: Pan; Precio: 3"]
    with pytest.raises(UnreadableError, match="not_text"):
        read_text(bytes(range(1, 9)) * 100)


def test_word_and_pdf():
    assert [b.text for b in read_docx(word(table=True)).blocks] == [
        "Opening hours", "We open at nine.", "Day: Monday; Opens: 9:00",
    ]  # fmt: skip
    assert "We open at nine" in read_pdf(pdf("We open at nine in the morning")).text


def locked() -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(pdf("secret")))
    writer.encrypt("pass", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(5_001):
            archive.writestr(f"{number}", b"")
    return out.getvalue()


@pytest.mark.parametrize(
    ("reader", "body", "reason"),
    [
        (read_pdf, pdf("", ""), "scan_without_text"),
        (read_pdf, locked(), "encrypted"),
        (read_pdf, b"%PDF-1.4 nothing", "damaged"),
        (read_docx, b"PK\x03\x04 nothing", "damaged"),
        (read_docx, b"\xd0\xcf\x11\xe0 old", "encrypted"),
    ],
)
def test_what_cannot_be_read_says_why(reader, body: bytes, reason: str):
    with pytest.raises(UnreadableError, match=reason):
        reader(body)


def test_a_zip_bomb_is_not_unpacked():
    with pytest.raises(UnreadableError, match="too_large"):
        read_docx(bomb())


async def test_pdf_is_read_in_a_process_of_its_own():
    found = await read("pdf", pdf("Deliveries leave at noon on every working day"))
    assert found.text == "Deliveries leave at noon on every working day"


async def test_an_empty_file_says_so():
    with pytest.raises(UnreadableError, match="empty"):
        await read("text", b"  \n")


def test_kinds_are_told_by_content_before_name():
    assert kind_of("a.txt", b"%PDF-1.7") == "pdf"
    assert kind_of("page", b"<html>", "text/html; charset=utf-8") == "html"
    for name, body in (("a.exe", b"MZ"), ("a.zip", b"PK\x03\x04"), ("a.pdf", b"no pdf")):
        with pytest.raises(UnreadableError):
            kind_of(name, body)


def test_passages_stay_short_and_keep_their_headings():
    long = " ".join(f"Sentence number {n} is here." for n in range(200))
    document = Document(
        "Guide", [Block("Guide", 1), Block("Part", 2), Block(long), Block("Other", 2), Block("x")]
    )
    found = chunks_of(document, "Guide")
    assert {c.heading for c in found} == {"Part", "Other"}
    assert max(sum(map(tokens_of, c.body.split("\n"))) for c in found) <= TOKENS_MAX
    assert found[0].body.split("\n")[-1] == found[1].body.split("\n")[0], "they share a sentence"
    monster = chunks_of(Document("", [Block("ab" * 50_000)]), "T")
    assert max(len(c.body) for c in monster) <= TOKENS_MAX * 6


def test_titles_take_from_names_what_they_lack():
    assert titled("Price list", "docs/price-list-2024.pdf") == "Price list (2024)"
    assert titled("", "harbour_branch.txt") == "Harbour branch"


@pytest.mark.parametrize(
    "text", ["AB-1234", "ab1234 please", "price of AB 1234?", "the AB/1234", "ab.1234"]
)
def test_a_code_is_one_however_it_is_written(text: str):
    assert "#ab1234" in codes(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How much is the delivery to my house?", "en"),
        ("¿Cuánto cuesta el envío a mi casa?", "es"),
        ("Quanto custa a entrega na minha casa?", "pt"),
        ("Wie viel kostet die Lieferung nach Hause?", "de"),
        ("كم تكلفة التوصيل؟", "ar"),
        ("Berapa harga pengiriman ke rumah saya?", "id"),
        ("AB-1234", None),
    ],
)
def test_languages(text: str, language: str | None):
    assert detect(text) == language
    assert is_foreign(text, ["en"]) == (language not in {"en", None})
