"""Who a business is to the tax office: legal name, address, tax id, and where bills are sent."""

from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError
from app.core.mail.outbox import is_address
from tenants.service import Actor, record

_CHARS_MAX = 500
_READ = text(
    """
    select t.billing_email, p.legal_name, p.address, p.country, p.tax_id
    from tenants t left join billing_profiles p on p.tenant_id = t.id where t.id = :tenant_id
    """
)
_SAVE = text(
    """
    insert into billing_profiles (tenant_id, legal_name, address, country, tax_id)
    values (:tenant_id, :legal_name, :address, :country, :tax_id)
    on conflict (tenant_id) do update set
        legal_name = excluded.legal_name, address = excluded.address, country = excluded.country,
        tax_id = excluded.tax_id
    """
)
_SAVE_EMAIL = text("update tenants set billing_email = :billing_email where id = :tenant_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A business's own data for bills; ``country`` is ISO 3166 (two letters)."""

    billing_email: str | None = None
    legal_name: str | None = None
    address: str | None = None
    country: str | None = None
    tax_id: str | None = None


async def profile_of(connection: AsyncConnection, tenant_id: UUID) -> Profile:
    """Read a business's data for bills; NotFoundError when there is no such business."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one_or_none()
    if row is None:
        raise NotFoundError("There is no such business.")
    return Profile(**row._mapping)  # noqa: SLF001


async def save_profile(
    connection: AsyncConnection, tenant_id: UUID, profile: Profile, actor: Actor
) -> None:
    """Replace a business's data for bills, on record by the names of what changed.

    Raises:
        RefusedError: an address that is none, a country of another form, a text too long.
    """
    if profile.billing_email is not None and not is_address(profile.billing_email):
        raise RefusedError("This is not one e-mail address, such as name@example.com.")
    country = profile.country
    if country is not None and not (len(country) == 2 and country.isascii() and country.isupper()):  # noqa: PLR2004
        raise RefusedError("A country is two capital letters (ISO 3166), e.g. DE.")
    values = asdict(profile)
    if any(value is not None and len(value) > _CHARS_MAX for value in values.values()):
        raise RefusedError("Each field has at most %(most)s characters.", most=_CHARS_MAX)
    before = asdict(await profile_of(connection, tenant_id))
    await connection.execute(_SAVE, {"tenant_id": tenant_id, **values})
    await connection.execute(_SAVE_EMAIL, {"tenant_id": tenant_id, **values})
    changed = sorted(name for name, value in values.items() if before[name] != value)
    # Names only: addresses do not belong into an append-only trail.
    await record(
        connection,
        tenant_id,
        actor,
        action="billing_profile.change",
        subject=str(tenant_id),
        after={"changed": changed},
    )
