"""Versions of an assistant: a draft that people edit, the one that answers, and those before.

Publishing makes the draft live and numbers it; rolling back publishes a copy of an old version,
so the trail only grows. When the assistant speaks at all is no matter of versions
(``tenants.conduct``): that holds at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant import profiles
from app.assistant.profiles import Profile
from app.core import ids, locales
from app.core.db.engine import Database
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.core.text import storable
from billing import prices
from billing.prices import ANY_MODEL
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import Actor

DISCLOSURES = {
    "en": "An AI assistant answers here; ask for a person any time.",
    "es": "Aquí responde un asistente de IA; puedes pedir hablar con una persona cuando quieras.",
    "pt": "Aqui responde um assistente de IA; peça para falar com uma pessoa quando quiser.",
}
"""The notice of a business that has not worded its own, by the language of its customers."""
NOTE_CHARS_MAX = 200
LISTED_MAX = 50
_NUMBER_MAX = 2**31 - 1

_ONE = text(
    "select id, number, state, content, note, author_id, updated_at, published_at"
    " from assistant_versions where tenant_id = :tenant_id and state = :state"
)
_NUMBERED = text(
    "select id, number, state, content, note, author_id, updated_at, published_at"
    " from assistant_versions where tenant_id = :tenant_id and number = :number"
)
_LIST = text(
    """
    select number, state, note, author_id, published_at from assistant_versions
    where tenant_id = :tenant_id and number is not null order by number desc limit :rows_max
    """
)
_TAUGHT = text(
    """
    select p.persona, p.greeting, p.disclosure, p.facts
    from tenants t left join assistant_profiles p on p.tenant_id = t.id where t.id = :tenant_id
    """
)
_LOCALE = text("select locale from tenants where id = :tenant_id")
_BEGIN = text(
    "insert into assistant_profiles (tenant_id, disclosure) values (:tenant_id, :disclosure)"
)
_SAVE_DRAFT = text(
    """
    insert into assistant_versions as v (tenant_id, id, state, content, author_id)
    values (:tenant_id, :id, 'draft', cast(:content as jsonb), :author_id)
    on conflict (tenant_id) where state = 'draft' do update
    set content = excluded.content, author_id = excluded.author_id, updated_at = now()
    """
)
_DROP_DRAFT = text(
    "delete from assistant_versions where tenant_id = :tenant_id and state = 'draft'"
)
# One publisher at a time: the tenant's row orders them, and with it their numbers.
_LOCK = text("select id from tenants where id = :tenant_id for no key update")
_RETIRE = text(
    "update assistant_versions set state = 'past' where tenant_id = :tenant_id and state = 'live'"
)
_PUBLISH = text(
    """
    insert into assistant_versions (tenant_id, id, number, state, content, note, author_id,
                                    published_at)
    select :tenant_id, :id, coalesce(max(number), 0) + 1, 'live', cast(:content as jsonb), :note,
           :author_id, now()
    from assistant_versions where tenant_id = :tenant_id
    returning number
    """
)


@dataclass(frozen=True, slots=True)
class Version:
    """One version. A draft has no number; ``draft`` may also be one that nobody saved yet."""

    number: int | None
    state: str
    profile: Profile
    note: str = ""
    author_id: UUID | None = None
    updated_at: datetime | None = None
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A version in the list, without its content."""

    number: int
    live: bool
    note: str
    author_id: UUID | None
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions: of a field, or of one fact or rule in it."""

    field: str
    name: str
    before: str
    after: str


class Versions:
    """What pages do with versions. Every method asks the person's permission first."""

    def __init__(self, database: Database, models: Sequence[str]) -> None:
        self._database = database
        self._models = tuple(dict.fromkeys(model for model in models if model))

    async def models(self, person: SignedIn) -> tuple[str, ...]:
        """Return the models that may be chosen: the platform's, and those of the price list."""
        async with self._database.tenant(_tenant(person)) as connection:
            return await self._choices(connection)

    async def editing(self, person: SignedIn) -> tuple[Version, Version | None]:
        """Return the draft (the live version where there is none) and the live version."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            draft = await _find(connection, tenant_id, "draft")
            live = await _find(connection, tenant_id, "live")
            if draft is None:
                known = live.profile if live else await _taught(connection, tenant_id)
                draft = Version(None, "draft", known)
        return draft, live

    async def listed(self, person: SignedIn) -> list[Listed]:
        """Return the published versions, the newest first."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(
                _LIST, {"tenant_id": tenant_id, "rows_max": LISTED_MAX}
            )
            return [
                Listed(r.number, r.state == "live", r.note, r.author_id, r.published_at)
                for r in found
            ]

    async def numbered(self, person: SignedIn, number: int) -> Version:
        """Return a published version; NotFoundError when there is none."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            return await version_of(connection, tenant_id, number)

    async def save_draft(self, person: SignedIn, profile: Profile) -> None:
        """Keep a draft; RefusedError says what is wrong with it."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            checked = profiles.checked(profile, models=await self._choices(connection))
            values = {
                "tenant_id": tenant_id,
                "id": ids.uuid7(),
                "content": _json(checked),
                "author_id": person.user_id,
            }
            await connection.execute(_SAVE_DRAFT, values)

    async def discard_draft(self, person: SignedIn) -> None:
        """Throw the draft away; the live version goes on."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(_DROP_DRAFT, {"tenant_id": tenant_id})

    async def publish(self, person: SignedIn, note: str, device: Device) -> int:
        """Make the draft live; return its number. ConflictError when there is no draft."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(_LOCK, {"tenant_id": tenant_id})
            draft = await _find(connection, tenant_id, "draft")
            if draft is None:
                raise ConflictError("There is no draft to publish. Change something first.")
            profile = profiles.checked(draft.profile, models=await self._choices(connection))
            number = await publish(
                connection,
                tenant_id,
                profile,
                actor_of(person, device),
                note=note,
                author_id=person.user_id,
            )
            await connection.execute(_DROP_DRAFT, {"tenant_id": tenant_id})
            return number

    async def restore(self, person: SignedIn, number: int, device: Device) -> int:
        """Publish a copy of an old version; return the new number. A draft stays as it is."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(_LOCK, {"tenant_id": tenant_id})
            old = await version_of(connection, tenant_id, number)
            if old.state == "live":
                raise ConflictError("This version is the live one.")
            return await publish(
                connection,
                tenant_id,
                old.profile,
                actor_of(person, device),
                note=f"↩ {number}",
                author_id=person.user_id,
            )

    async def _choices(self, connection: AsyncConnection) -> tuple[str, ...]:
        try:
            listed = (await prices.current(connection)).per_1k_tokens
        except NotFoundError:
            listed = {}
        return tuple(dict.fromkeys((*self._models, *(m for m in listed if m != ANY_MODEL))))


async def publish(
    connection: AsyncConnection,
    tenant_id: UUID,
    profile: Profile,
    actor: Actor,
    *,
    note: str = "",
    author_id: UUID | None = None,
) -> int:
    """Make a profile the live version; return its number."""
    note = " ".join(storable(note).split())
    if len(note) > NOTE_CHARS_MAX:
        raise RefusedError("The note has at most %(most)s characters.", most=NOTE_CHARS_MAX)
    await connection.execute(_RETIRE, {"tenant_id": tenant_id})
    values = {
        "tenant_id": tenant_id,
        "id": ids.uuid7(),
        "content": _json(profile),
        "note": note,
        "author_id": author_id,
    }
    number = int((await connection.execute(_PUBLISH, values)).scalar_one())
    await service.record(
        connection,
        tenant_id,
        actor,
        action="assistant.publish",
        subject=str(number),
        after={"note": note} if note else None,
    )
    return number


async def version_of(connection: AsyncConnection, tenant_id: UUID, number: int) -> Version:
    """Return a published version in the tenant's scope; NotFoundError when there is none."""
    row = None
    if 0 < number <= _NUMBER_MAX:
        found = await connection.execute(_NUMBERED, {"tenant_id": tenant_id, "number": number})
        row = found.one_or_none()
    if row is None:
        raise NotFoundError("There is no such version.")
    return _version(row)


def changes(before: Profile, after: Profile) -> list[Change]:
    """Return what differs between two profiles, facts and rules one by one."""
    found: list[Change] = []
    old, new = profiles.stored(before), profiles.stored(after)
    for field in Profile.__struct_fields__:
        if old[field] == new[field]:
            continue
        if field == "facts":
            then, now = ({f["key"]: f["value"] for f in each[field]} for each in (old, new))
            found += [
                Change(field, key, then.get(key, ""), now.get(key, ""))
                for key in dict.fromkeys((*then, *now))
                if then.get(key) != now.get(key)
            ]
        elif isinstance(old[field], list):
            found += [Change(field, "", str(e), "") for e in old[field] if e not in new[field]]
            found += [Change(field, "", "", str(e)) for e in new[field] if e not in old[field]]
        else:
            found.append(Change(field, "", _told(old[field]), _told(new[field])))
    return found


def _told(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tenant(person: SignedIn) -> UUID:
    return person.business(Permission.EDIT_ASSISTANT)


async def _find(connection: AsyncConnection, tenant_id: UUID, state: str) -> Version | None:
    found = await connection.execute(_ONE, {"tenant_id": tenant_id, "state": state})
    row = found.one_or_none()
    return None if row is None else _version(row)


async def begin(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Give a new business the notice that it agreed to: the first reply says that it is an AI."""
    locale = str(await connection.scalar(_LOCALE, {"tenant_id": tenant_id}))
    disclosure = DISCLOSURES[locales.translator(locale).language]
    await connection.execute(_BEGIN, {"tenant_id": tenant_id, "disclosure": disclosure})


async def _taught(connection: AsyncConnection, tenant_id: UUID) -> Profile:
    """What a business taught before its first version."""
    row = (await connection.execute(_TAUGHT, {"tenant_id": tenant_id})).one()
    return profiles.read({k: v for k, v in row._mapping.items() if v is not None})  # noqa: SLF001


def _version(row: Any) -> Version:
    return Version(
        number=row.number,
        state=row.state,
        profile=profiles.read(row.content),
        note=row.note,
        author_id=row.author_id,
        updated_at=row.updated_at,
        published_at=row.published_at,
    )


def _json(profile: Profile) -> str:
    return msgspec.json.encode(profiles.stored(profile)).decode()
