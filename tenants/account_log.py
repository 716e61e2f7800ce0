"""What happens to accounts and the platform, where no business's own audit trail fits.

Sign-ins, changes of passwords and factors, admins' work on the platform. Append-only like
``audit_log``; e-mail addresses appear as keyed hashes where no account is known.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tenants.devices import Device
from tenants.service import Actor

_INSERT = text(
    """
    insert into account_log (id, user_id, actor_kind, actor_id, action, subject, before, after,
                             reason, address, request_id)
    values (:id, :user_id, :actor_kind, :actor_id, :action, :subject, cast(:before as jsonb),
            cast(:after as jsonb), :reason, :address, :request_id)
    """
)


async def note(
    connection: AsyncConnection,
    actor: Actor,
    *,
    action: str,
    subject: str,
    user_id: UUID | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Append an entry, in the transaction of what it tells of."""
    await connection.execute(
        _INSERT,
        {"user_id": user_id, **actor.entry(action, subject, before, after, reason)},
    )


async def note_own(
    connection: AsyncConnection,
    user_id: UUID,
    device: Device,
    action: str,
    after: dict[str, Any] | None = None,
) -> None:
    """Append what a person did to their own account."""
    actor = Actor("user", str(user_id), device.address, device.request_id)
    await note(connection, actor, action=action, subject=str(user_id), user_id=user_id, after=after)
