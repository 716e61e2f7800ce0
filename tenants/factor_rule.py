"""A business that asks everybody in its team for a second factor.

Who has none when the rule begins, or joins later without one, has seven days; from then on the
business is closed to them until they set one up in their account. The last factor of somebody
whom such a business counts on cannot be removed.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError, RefusedError
from tenants import service, users
from tenants.access import Permission
from tenants.accounts import Accounts
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import FACTOR_GRACE_DAYS, SignedIn

_SINCE = text("select second_factor_since from tenants where id = :tenant_id")
_BEGIN = text(
    "update tenants set second_factor_since = now()"
    " where id = :tenant_id and second_factor_since is null returning name, second_factor_since"
)
_END = text(
    "update tenants set second_factor_since = null"
    " where id = :tenant_id and second_factor_since is not null returning name"
)
_WITHOUT = text(
    """
    select u.email, u.locale from memberships m join users u on u.id = m.user_id
    where m.tenant_id = :tenant_id and u.disabled_at is null and u.totp_confirmed_at is null
      and not exists (select 1 from passkeys p where p.user_id = u.id)
    order by u.email
    """
)
# Of two factors that are removed at once, the second removal sees the first.
_LOCK = text("select 1 from users where id = :user_id for no key update")
_ASKED = text(
    """
    select t.name from memberships m join tenants t on t.id = m.tenant_id
    where m.user_id = :user_id and t.second_factor_since is not null and t.status <> 'closed'
    order by t.name limit 1
    """
)


class FactorRule:
    """Reads and changes whether a business asks for a second factor."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._database = accounts.database

    async def since(self, person: SignedIn) -> datetime | None:
        """Return since when the chosen business asks for a second factor; None if it does not."""
        tenant_id = person.business(Permission.READ_TEAM)
        async with self._database.tenant(tenant_id) as connection:
            found: datetime | None = await connection.scalar(_SINCE, {"tenant_id": tenant_id})
            return found

    async def change(self, person: SignedIn, *, wanted: bool, device: Device) -> None:
        """Begin to ask everybody for a second factor, or stop; those without one get a mail.

        Raises:
            ForbiddenError: only owners decide it.
            StepUpNeededError: the last proof is not recent.
            ConflictError: it is so already.
            RefusedError: the owner has no second factor either.
        """
        tenant_id = person.business(Permission.EDIT_TEAM)
        async with self._database.system() as connection:
            if wanted and not (await users.by_id(connection, person.user_id)).has_second_factor:
                raise RefusedError("Set up your own second factor first, in your account.")
            values = {"tenant_id": tenant_id}
            row = (await connection.execute(_BEGIN if wanted else _END, values)).one_or_none()
            if row is None:
                raise ConflictError("This was changed already. Look at the page again.")
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="business.second_factor",
                subject=str(tenant_id),
                before={"required": not wanted},
                after={"required": wanted},
            )
            if wanted:
                due = row.second_factor_since + timedelta(days=FACTOR_GRACE_DAYS)
                await self._tell(connection, tenant_id, row.name, due, device)

    async def _tell(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        business: str,
        due: datetime,
        device: Device,
    ) -> None:
        for member in (await connection.execute(_WITHOUT, {"tenant_id": tenant_id})).all():
            letter = self._accounts.letters(member.locale).factor_wanted(business, due)
            await self._accounts.mail(connection, member.email, letter, device)


async def require_spare(connection: AsyncConnection, user_id: UUID) -> None:
    """Raise RefusedError when a person's last factor was removed that a business asks for.

    Args:
        connection: the transaction of the removal, after it: the refusal undoes it.
        user_id: whose factor it was.
    """
    await connection.execute(_LOCK, {"user_id": user_id})
    user = await users.by_id(connection, user_id)
    if user.has_second_factor:
        return
    if user.admin:
        raise RefusedError("A platform admin needs a second factor.")
    business = await connection.scalar(_ASKED, {"user_id": user_id})
    if business is not None:
        raise RefusedError(
            "%(business)s asks for a second factor. Add another one before you remove this one.",
            business=business,
        )
