"""A person's own phone, proved by a code that their business's WhatsApp number sends to it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core.db.engine import Database
from app.core.errors import ForbiddenError, RefusedError
from tenants import account_log, service
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.phone_codes import PhoneCodes, normalise_phone

_PURPOSE = "owner_phone"

# The number that has been in use longest is the one that works.
_CHANNEL = text(
    """
    select c.id, t.name as business from channels c join tenants t on t.id = c.tenant_id
    where c.tenant_id = :tenant_id and c.enabled and c.kind = 'waha'
    order by (lower(c.status) = 'working') desc, c.created_at limit 1
    """
)
_READ = text("select phone, phone_verified_at from users where id = :id")
_SET = text("update users set phone = :phone, phone_verified_at = now() where id = :id")
_REMOVE = text(
    "update users set phone = null, phone_verified_at = null where id = :id and phone is not null"
)


@dataclass(frozen=True, slots=True)
class OwnPhone:
    """A phone as its person sees it: digits with the country code, and since when it is proved."""

    phone: str | None
    verified_at: datetime | None


class OwnPhones:
    """Proves people's phones."""

    def __init__(self, database: Database, codes: PhoneCodes) -> None:
        self._database = database
        self._codes = codes

    async def of(self, user_id: UUID) -> OwnPhone:
        """Return a person's phone."""
        async with self._database.system_statement() as connection:
            row = (await connection.execute(_READ, {"id": user_id})).one()
        return OwnPhone(row.phone, row.phone_verified_at)

    async def send(self, person: SignedIn, phone: str, device: Device) -> str:
        """Send a code to a phone; return its digits.

        Raises:
            StepUpNeededError: the last proof is not recent.
            RefusedError: this is no phone number, or the business has no WhatsApp number.
            TooManyAttemptsError: 3 in 15 min to a phone, 60 an hour of a business.
            ProviderError: WhatsApp did not take the message.
        """
        tenant_id = _business(person)
        person.require_recent()
        digits = normalise_phone(phone)
        async with self._database.tenant(tenant_id) as connection:
            row = (await connection.execute(_CHANNEL, {"tenant_id": tenant_id})).one_or_none()
        if row is None:
            raise RefusedError("Connect a WhatsApp number first: the code is sent from it.")
        await self._codes.send(tenant_id, row.id, digits, purpose=_PURPOSE, business=row.business)
        async with self._database.tenant(tenant_id) as connection:
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="phone.send_code",
                subject=str(person.user_id),
            )
        return digits

    async def confirm(self, person: SignedIn, phone: str, code: str, device: Device) -> None:
        """Note a phone as proved; RefusedError for a wrong code, in the same words as an old one.

        The fifth wrong try ends the code.
        """
        tenant_id = _business(person)
        digits = normalise_phone(phone)
        await self._codes.check(
            tenant_id, digits, code, purpose=_PURPOSE, actor=actor_of(person, device)
        )
        async with self._database.system() as connection:
            await connection.execute(_SET, {"id": person.user_id, "phone": digits})
            await account_log.note_own(connection, person.user_id, device, "phone.verify")

    async def remove(self, person: SignedIn, device: Device) -> None:
        """Forget a person's phone."""
        person.require_complete()
        async with self._database.system() as connection:
            done = await connection.execute(_REMOVE, {"id": person.user_id})
            if done.rowcount:
                await account_log.note_own(connection, person.user_id, device, "phone.remove")


def _business(person: SignedIn) -> UUID:
    person.require_complete()
    if person.impersonating:
        raise ForbiddenError("This is not possible while acting for a business.")
    if person.tenant_id is None:
        raise RefusedError("Choose a business first: its WhatsApp number sends the code.")
    return person.tenant_id
