"""Taking contacts away: all of them as a table, or one person's messages as one."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from app.core.db.engine import Database
from app.core.spreadsheet import csv_line
from app.messaging.address_book import listing
from tenants import service
from tenants.service import Actor

COLUMNS = (
    "name", "whatsapp_name", "phone", "tags", "notes", "blocked", "opted_out", "imported_at",
    "first_seen_at", "last_message_at",
)  # fmt: skip
MESSAGE_COLUMNS = ("sent_at", "direction", "author", "kind", "text")


async def as_csv(database: Database, tenant_id: UUID, actor: Actor) -> AsyncIterator[str]:
    """Yield all contacts as CSV (RFC 4180), page by page; the audit trail tells that it began.

    A number is its digits with the country code, without the plus that a spreadsheet would
    take for a formula. The table can be imported again.
    """
    async with database.tenant(tenant_id) as connection:
        await service.record(
            connection, tenant_id, actor, action="contact.export_all", subject=str(tenant_id)
        )
    yield csv_line(COLUMNS)
    before: UUID | None = None
    while True:
        async with database.tenant(tenant_id) as connection:
            lines = await listing.page(
                connection,
                tenant_id,
                listing.Wanted(),
                before=before,
                rows_max=listing.PAGE_ROWS_MAX,
            )
        if not lines:
            return
        yield "".join(csv_line(_cells(line)) for line in lines)
        before = lines[-1].id


def messages_as_csv(export: dict[str, list[dict[str, Any]]]) -> str:
    """Return the messages of one contact's export (``data_rights.export_contact``) as CSV."""
    lines = (csv_line(message[c] for c in MESSAGE_COLUMNS) for message in export["messages"])
    return csv_line(MESSAGE_COLUMNS) + "".join(lines)


def _cells(line: listing.ContactLine) -> list[object]:
    return [
        line.name,
        line.push_name,
        line.phone,
        ", ".join(line.tags),
        line.notes,
        "yes" if line.blocked else "",
        "yes" if line.opted_out else "",
        line.imported_at,
        line.created_at,
        line.seen_at,
    ]
