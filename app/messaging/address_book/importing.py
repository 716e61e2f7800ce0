"""Importing a list of contacts: read and judged line by line, shown, then taken in one step.

A list is stored when it was read and waits for somebody's word. Taking it twice does nothing
the second time. A number that is known already keeps its contact: what is empty is filled,
nothing is overwritten. Nobody who was imported is written to: a conversation begins when the
customer writes.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.core.errors import NotFoundError, RefusedError
from app.core.text import storable
from app.messaging import contact_merge
from app.messaging.address_book import card, phones
from tenants import service
from tenants.service import Actor

FILE_BYTES_MAX = 1024 * 1024
ROWS_MAX = 5_000
FAULTS_SHOWN_MAX = 200
FILE_NAME_CHARS_MAX = 100
_CELL_SHOWN_CHARS = 60

_HEADINGS = {
    "phone": "phone telephone mobile number whatsapp tel cell telefono movil celular numero"
    " telefone telemovel telemóvel teléfono móvil número telefon handy",
    "name": "name fullname contact customer nombre cliente contacto nome contato naam kunde",
    "tags": "tags tag labels label etiquetas etiqueta groups group grupo grupos",
    "notes": "notes note comment comments notas nota comentario comentários observações notiz",
}
_FIELD_OF = {word: field for field, words in _HEADINGS.items() for word in words.split()}

_INSERT = text(
    """
    insert into contact_imports (tenant_id, id, user_id, file_name, rows, found)
    values (:tenant_id, :id, :user_id, :file_name, cast(:rows as jsonb), :found)
    """
)
_READ = text(
    """
    select id, file_name, rows, found, added, changed, done_at is not null as done
    from contact_imports where tenant_id = :tenant_id and id = :import_id
    """
)
_LOCK = text(
    """
    select rows, added, changed, done_at is not null as done
    from contact_imports where tenant_id = :tenant_id and id = :import_id for update
    """
)
_KNOWN = text(
    """
    select r.phone, a.contact_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(phone text)
    join contact_addresses a on a.tenant_id = :tenant_id and a.address = r.phone || '@c.us'
    """
)
_MAKE = text(
    """
    with rows as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(contact_id uuid, address_id uuid, phone text, name text, notes text)
    ), made as (
        insert into contacts (tenant_id, id, name, notes, imported_at)
        select :tenant_id, contact_id, name, notes, now() from rows
    )
    insert into contact_addresses (tenant_id, id, contact_id, kind, address)
    select :tenant_id, address_id, contact_id, 'phone', phone || '@c.us' from rows
    """
)
_FILL = text(
    """
    update contacts c set name = coalesce(c.name, r.name), notes = coalesce(c.notes, r.notes)
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(contact_id uuid, name text, notes text)
    where c.tenant_id = :tenant_id and c.id = r.contact_id
      and (c.name is null and r.name is not null or c.notes is null and r.notes is not null)
    returning c.id
    """
)
_TAG = text(
    """
    insert into contact_tags (tenant_id, contact_id, tag)
    select :tenant_id, r.contact_id, t.tag
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(contact_id uuid, tags text[])
    cross join lateral unnest(r.tags) as t(tag)
    on conflict do nothing returning contact_id
    """
)
_DONE = text(
    """
    update contact_imports set done_at = now(), rows = '{}', added = :added, changed = :changed
    where tenant_id = :tenant_id and id = :import_id
    """
)
# What nobody confirmed within a day holds numbers for nothing.
_PRUNE = text(
    """
    delete from contact_imports
    where created_at < now() - (case when done_at is null then interval '1 day'
                                     else interval '90 days' end)
    """
)


@dataclass(frozen=True, slots=True)
class Row:
    """A good line: the number as E.164 digits, and what stands beside it."""

    line: int
    phone: str
    name: str | None
    notes: str | None
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that cannot be taken: what was read, and a code for why.

    ``reason`` is ``phone_missing``, ``phone_unknown``, ``twice`` or ``too_long``.
    """

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A list as it was read."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0


@dataclass(frozen=True, slots=True)
class ImportView:
    """A stored list: what it holds, or, once it was taken, what came of it."""

    id: UUID
    file_name: str
    preview: Preview
    done: bool
    added: int
    changed: int


def read_list(raw: bytes, country: str | None) -> Preview:
    """Read a CSV file: comma, semicolon or tab; UTF-8, or what old spreadsheets write.

    Args:
        raw: the file.
        country: where numbers without a country code are from, as two letters.

    Raises:
        RefusedError: this is no such list, or too long a one; says what to change.
    """
    if len(raw) > FILE_BYTES_MAX:
        raise RefusedError("The file is larger than 1 MB. Import it in parts.")
    lines = _lines(_decoded(raw))
    heading = next(lines, (0, []))[1]
    places = {
        _FIELD_OF[word]: place
        for place, cell in reversed(list(enumerate(heading)))
        if (word := re.sub(r"[\W_]", "", cell.lower())) in _FIELD_OF
    }
    if "phone" not in places:
        raise RefusedError(
            "The first line has to name the columns, and one of them has to be phone."
        )
    preview, seen = Preview(), set[str]()
    faults = 0
    for number, cells in lines:
        row, fault = _judge(number, cells, places, country, seen)
        if row is not None:
            preview.rows.append(row)
        elif fault is not None:
            faults += 1
            preview.faults.append(fault)
        if len(preview.rows) > ROWS_MAX:
            raise RefusedError("The list has more than 5,000 lines. Import it in parts.")
    if not preview.rows and not faults:
        raise RefusedError("The list is empty below its first line.")
    return Preview(preview.rows, preview.faults[:FAULTS_SHOWN_MAX], faults)


async def store(
    connection: AsyncConnection,
    tenant_id: UUID,
    user_id: UUID,
    preview: Preview,
    *,
    file_name: str,
) -> UUID:
    """Keep a list until somebody confirms it, at most a day; return its id."""
    import_id = ids.uuid7()
    await connection.execute(
        _INSERT,
        {
            "tenant_id": tenant_id,
            "id": import_id,
            "user_id": user_id,
            "file_name": " ".join(storable(file_name).split())[:FILE_NAME_CHARS_MAX] or "list.csv",
            "rows": msgspec.json.encode(preview).decode(),
            "found": len(preview.rows),
        },
    )
    return import_id


async def look(connection: AsyncConnection, tenant_id: UUID, import_id: UUID) -> ImportView:
    """Return a stored list; NotFoundError when it is unknown, foreign or gone by time."""
    values = {"tenant_id": tenant_id, "import_id": import_id}
    row = (await connection.execute(_READ, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such list. Upload it again.")
    return ImportView(
        id=row.id,
        file_name=row.file_name,
        preview=msgspec.convert(row.rows, Preview),
        done=row.done,
        added=row.added or 0,
        changed=row.changed or 0,
    )


async def take(
    connection: AsyncConnection,
    tenant_id: UUID,
    import_id: UUID,
    actor: Actor,
    *,
    tag: str = "",
) -> tuple[int, int]:
    """Take a stored list; return how many contacts were added and how many changed.

    Args:
        connection: the business's scope.
        tenant_id: the business.
        import_id: the list; NotFoundError when it is unknown, foreign or gone by time.
        actor: who imports, for the audit trail, which keeps the counts alone.
        tag: tags, parted by commas, that every contact of the list gets.
    """
    extra = card.split_tags(tag)
    await contact_merge.lock(connection, tenant_id)
    key: dict[str, Any] = {"tenant_id": tenant_id, "import_id": import_id}
    stored = (await connection.execute(_LOCK, key)).one_or_none()
    if stored is None:
        raise NotFoundError("There is no such list. Upload it again.")
    if stored.done:
        return stored.added, stored.changed
    rows = msgspec.convert(stored.rows, Preview).rows
    added, changed = await _write(connection, tenant_id, rows, extra)
    await connection.execute(_DONE, key | {"added": added, "changed": changed})
    await service.record(
        connection,
        tenant_id,
        actor,
        action="contact.import",
        subject=str(import_id),
        after={"added": added, "changed": changed},
    )
    return added, changed


async def prune(connection: AsyncConnection) -> int:
    """Delete lists that nobody confirmed within a day, and old ones; return how many."""
    return (await connection.execute(_PRUNE)).rowcount


async def _write(
    connection: AsyncConnection, tenant_id: UUID, rows: list[Row], extra: list[str]
) -> tuple[int, int]:
    scope = {"tenant_id": tenant_id}
    numbers = as_rows({"phone": row.phone} for row in rows)
    found = await connection.execute(_KNOWN, scope | {"rows": numbers})
    known = {row.phone: row.contact_id for row in found}
    written = [
        {
            **asdict(row),
            "tags": sorted({*row.tags, *extra}),
            "contact_id": known.get(row.phone) or ids.uuid7(),
            "address_id": ids.uuid7(),
        }
        for row in rows
    ]
    fresh = [row for row in written if row["phone"] not in known]
    old = [row for row in written if row["phone"] in known]
    await connection.execute(_MAKE, scope | {"rows": as_rows(fresh)})
    filled = await connection.execute(_FILL, scope | {"rows": as_rows(old)})
    changed = set(filled.scalars())
    tagged = await connection.execute(_TAG, scope | {"rows": as_rows(written)})
    changed |= set(tagged.scalars()) & set(known.values())
    return len(fresh), len(changed)


def _decoded(raw: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RefusedError("The file is no text. Save the list as CSV (UTF-8).")


def _lines(content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line that is not empty."""
    if "\0" in content:
        raise RefusedError("The file is no text. Save the list as CSV (UTF-8).")
    first = content.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error:
        raise RefusedError("The file is no CSV. Save the list again.") from None


def _judge(
    number: int,
    cells: list[str],
    places: dict[str, int],
    country: str | None,
    seen: set[str],
) -> tuple[Row | None, Fault | None]:
    given = {
        name: cells[place].strip().lstrip("'") if place < len(cells) else ""
        for name, place in places.items()
    }
    shown = " · ".join(cell.strip() for cell in cells if cell.strip())[:_CELL_SHOWN_CHARS]
    if not given["phone"]:
        return None, Fault(number, shown, "phone_missing")
    phone = phones.parse(given["phone"], country)
    if phone is None:
        return None, Fault(number, shown, "phone_unknown")
    if phone in seen:
        return None, Fault(number, shown, "twice")
    try:
        row = Row(
            line=number,
            phone=phone,
            name=card.normalise_name(given.get("name", "")),
            notes=card.normalise_notes(given.get("notes", "")),
            tags=card.split_tags(given.get("tags", "").replace(";", ",")),
        )
    except RefusedError:
        return None, Fault(number, shown, "too_long")
    seen.add(phone)
    return row, None
