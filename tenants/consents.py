"""What a business agreed to: terms, the rule that the assistant says what it is, its numbers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_ROWS_MAX = 100
_OF_TENANT = text(
    """
    select c.kind, c.version, c.at, c.address, c.user_id
    from consents c where c.tenant_id = :tenant_id order by c.at desc, c.id desc limit :rows_max
    """
)
_NAMES = text("select id, name from users where id = any(:ids)")


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """One consent: what, in which version, when and from where."""

    kind: str
    version: str
    at: datetime
    address: str | None
    user_id: UUID


async def of_business(connection: AsyncConnection, tenant_id: UUID) -> list[GivenConsent]:
    """List a business's consents, the newest first."""
    values = {"tenant_id": tenant_id, "rows_max": _ROWS_MAX}
    return [GivenConsent(*row) for row in await connection.execute(_OF_TENANT, values)]


async def names(connection: AsyncConnection, given: list[GivenConsent]) -> dict[UUID, str]:
    """Return the names of who gave them (system scope); who was deleted has none."""
    ids = list({one.user_id for one in given})
    return {row.id: row.name for row in await connection.execute(_NAMES, {"ids": ids})}
