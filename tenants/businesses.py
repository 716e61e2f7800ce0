"""Businesses as their people know them: made at sign-up, listed in the switcher, changed."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.engine import Database
from app.core.errors import ConflictError, NotFoundError, RefusedError
from tenants import service
from tenants.access import Permission, Role
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import Actor, NewTenant
from tenants.users import normalise_locale, normalise_name

OnCreate = Callable[[AsyncConnection, UUID], Awaitable[object]]

BUSINESSES_MAX = 20
RETENTION_DAYS = (1, 730)
_SLUG_FORM = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,38}[a-z0-9])", re.ASCII)
_COUNTRY_FORM = re.compile(r"[A-Z]{2}", re.ASCII)
# Words that would look like pages of ours, or like us.
_RESERVED = frozenset(
    (
        "admin",
        "api",
        "app",
        "assets",
        "help",
        "login",
        "mail",
        "parley",
        "settings",
        "static",
        "status",
        "support",
        "www",
    )
)

_CONSENT = text(
    """
    insert into consents (tenant_id, id, user_id, kind, version, address)
    values (:tenant_id, :id, :user_id, :kind, :version, :address)
    """
)
_JOIN = text(
    "insert into memberships (tenant_id, user_id, role) values (:tenant_id, :user_id, :role)"
)
# Whoever acts for a business stops that: the one chosen here is their own.
_CHOOSE = text(
    "update login_sessions set business_id = :tenant_id, impersonation_until = null,"
    " impersonation_reason = null where id = :session_id"
)
_COUNT_OF = text("select count(*) from memberships where user_id = :user_id and role = 'owner'")
_SLUG_TAKEN = text("select 1 from tenants where slug = :slug")
# Never one with a price: its credits would be given away month by month.
_DEFAULT_PLAN = text(
    "select code from plans where offered and price_minor = 0 order by code limit 1"
)
_OF_PERSON = text(
    """
    select t.id, t.name, t.slug, t.status, m.role
    from memberships m join tenants t on t.id = m.tenant_id
    where m.user_id = :user_id and t.status <> 'closed'
    order by lower(t.name), t.id
    """
)
_READ = text(
    """
    select name, time_zone, locale, country, retention_days from tenants where id = :id for update
    """
)
_CHANGE = text(
    """
    update tenants set name = :name, time_zone = :time_zone, locale = :locale,
        country = :country, retention_days = :retention_days
    where id = :id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBusiness:
    """The form of a new business. Both versions name the texts that were accepted."""

    name: str
    slug: str
    time_zone: str
    locale: str
    country: str
    terms_version: str
    ai_disclosure_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a business may change about itself."""

    name: str
    time_zone: str
    locale: str
    country: str | None
    retention_days: int


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the switcher: a business, and what the person is there."""

    id: UUID
    name: str
    slug: str
    status: str
    role: Role


class Businesses:
    """Makes and changes businesses on behalf of people.

    Args:
        database: both logins.
        on_create: what upper layers add to a new business in the same transaction (its
            wallet, its first credits); handed in at assembly.
    """

    def __init__(self, database: Database, on_create: OnCreate | None = None) -> None:
        self._database = database
        self._on_create = on_create

    async def create(self, person: SignedIn, form: NewBusiness, device: Device) -> UUID:
        """Make a business that the person owns, and choose it in this session.

        Raises:
            RefusedError: the form cannot be accepted; says what to change.
            ConflictError: the short name is taken.
        """
        person.require_complete()
        _check(form.name, form.time_zone, form.locale, form.country)
        slug = _require_slug(form.slug)
        if not form.terms_version or not form.ai_disclosure_version:
            raise RefusedError(
                "Please accept the terms, and that the assistant tells customers that it is one."
            )
        actor = actor_of(person, device)
        async with self._database.system() as connection:
            owned = await connection.scalar(_COUNT_OF, {"user_id": person.user_id})
            if int(owned or 0) >= BUSINESSES_MAX:
                raise RefusedError(
                    "One person may own at most %(most)s businesses.", most=BUSINESSES_MAX
                )
            if await connection.scalar(_SLUG_TAKEN, {"slug": slug}):
                raise ConflictError("This short name is taken. Choose another one.")
            plan = await connection.scalar(_DEFAULT_PLAN)
            if plan is None:
                raise RefusedError("No plan is offered at the moment. Please write to us.")
            tenant = NewTenant(
                slug=slug,
                name=normalise_name(form.name),
                plan_code=plan,
                time_zone=form.time_zone,
                locale=form.locale,
                country=form.country,
            )
            tenant_id = await service.create_tenant(connection, tenant, actor)
            await connection.execute(
                _JOIN, {"tenant_id": tenant_id, "user_id": person.user_id, "role": Role.OWNER}
            )
            await _record_consents(connection, tenant_id, person, form, device)
            if self._on_create is not None:
                await self._on_create(connection, tenant_id)
            await connection.execute(
                _CHOOSE, {"tenant_id": tenant_id, "session_id": person.session_id}
            )
        return tenant_id

    async def of_person(self, user_id: UUID) -> list[Place]:
        """Return the businesses that a person belongs to, by name."""
        async with self._database.system_statement() as connection:
            rows = (await connection.execute(_OF_PERSON, {"user_id": user_id})).all()
        return [Place(r.id, r.name, r.slug, r.status, Role(r.role)) for r in rows]

    async def profile(self, tenant_id: UUID) -> Profile:
        """Return what a business says about itself."""
        async with self._database.tenant(tenant_id) as connection:
            return await _read(connection, tenant_id)

    async def change(self, person: SignedIn, profile: Profile, device: Device) -> None:
        """Change the business's profile; before and after go to the audit trail."""
        tenant_id = person.business(Permission.EDIT_BUSINESS)
        _check(profile.name, profile.time_zone, profile.locale, profile.country)
        low, high = RETENTION_DAYS
        if not low <= profile.retention_days <= high:
            raise RefusedError(
                "Messages can be kept for %(low)s to %(high)s days.", low=low, high=high
            )
        async with self._database.tenant(tenant_id) as connection:
            before = asdict(await _read(connection, tenant_id))
            after = asdict(profile) | {"name": normalise_name(profile.name)}
            await connection.execute(_CHANGE, {"id": tenant_id, **after})
            changed = {k for k in after if after[k] != before[k]}
            if changed:
                await service.record(
                    connection,
                    tenant_id,
                    actor_of(person, device),
                    action="business.change",
                    subject=str(tenant_id),
                    before={k: before[k] for k in sorted(changed)},
                    after={k: after[k] for k in sorted(changed)},
                )


def actor_of(person: SignedIn, device: Device) -> Actor:
    """Return a person as the audit trail names them; an impersonating admin is an admin."""
    kind = "admin" if person.impersonating else "user"
    return Actor(kind, str(person.user_id), device.address, device.request_id)


async def _read(connection: AsyncConnection, tenant_id: UUID) -> Profile:
    row = (await connection.execute(_READ, {"id": tenant_id})).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such business.")
    return Profile(**row)


async def _record_consents(
    connection: AsyncConnection,
    tenant_id: UUID,
    person: SignedIn,
    form: NewBusiness,
    device: Device,
) -> None:
    versions = {"terms": form.terms_version, "ai_disclosure": form.ai_disclosure_version}
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": tenant_id,
            "id": ids.uuid7(),
            "user_id": person.user_id,
            "kind": kind,
            "version": version,
            "address": device.address,
        }
        for kind, version in versions.items()
    ]
    await connection.execute(_CONSENT, rows)


def _require_slug(raw: str) -> str:
    slug = raw.strip().lower()
    if not _SLUG_FORM.fullmatch(slug) or slug in _RESERVED:
        raise RefusedError(
            "The short name needs 3 to 40 small letters, digits and hyphens, and cannot be a"
            " word that Parley uses itself."
        )
    return slug


def _check(name: str, time_zone: str, locale: str, country: str | None) -> None:
    normalise_name(name)
    if time_zone not in available_timezones():
        raise RefusedError("The time zone is not known; choose one such as Europe/Berlin.")
    normalise_locale(locale)
    if country is not None and not _COUNTRY_FORM.fullmatch(country):
        raise RefusedError("The country is given by two letters, such as DE.")
