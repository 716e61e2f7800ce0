"""Which notices a person wants by e-mail: a default by role, and their own word above it.

Account mails (sign-in, invitations, closing) are not asked about; they always go.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import RefusedError
from tenants import service
from tenants.access import Permission, Role, may
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn


class Notice(StrEnum):
    """What a person may be told by e-mail."""

    HANDOVER = "handover"
    NUMBER_DOWN = "number_down"
    CREDITS = "credits"


_NEEDS = {
    Notice.HANDOVER: Permission.READ_INBOX,
    Notice.NUMBER_DOWN: Permission.EDIT_CHANNELS,
    Notice.CREDITS: Permission.READ_CREDITS,
}
_BY_DEFAULT = {
    Notice.HANDOVER: (Role.OWNER, Role.MANAGER, Role.AGENT),
    Notice.NUMBER_DOWN: (Role.OWNER, Role.MANAGER),
    Notice.CREDITS: (Role.OWNER,),
}

_WANTS = text(
    """
    select u.id as user_id, u.email, u.name, u.locale, m.role
    from memberships m join users u on u.id = m.user_id
    left join user_notifications n on n.tenant_id = m.tenant_id and n.user_id = m.user_id
        and n.kind = :kind
    where m.tenant_id = :tenant_id and m.role = any(:allowed)
      and u.email_verified_at is not null and u.disabled_at is null
      and coalesce(n.email, m.role = any(:by_default))
    order by u.email
    """
)
_CHOICES = text(
    "select kind, email from user_notifications where tenant_id = :tenant_id and user_id = :user_id"
)
_CHOOSE = text(
    """
    insert into user_notifications (tenant_id, user_id, kind, email)
    values (:tenant_id, :user_id, :kind, :email)
    on conflict (tenant_id, user_id, kind) do update set email = excluded.email
    """
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who wants a notice: where it goes, and in which language (BCP 47)."""

    user_id: UUID
    email: str
    name: str
    locale: str
    role: Role


async def wants(
    connection: AsyncConnection, tenant_id: UUID, kind: Notice | str
) -> list[Recipient]:
    """Return who of a business wants a kind of notice by e-mail, by address.

    Only people with a confirmed address whose role shows them what the notice is about.

    Args:
        connection: the system's scope: addresses stand in a platform table.
        tenant_id: the business.
        kind: ``handover``, ``number_down`` or ``credits``.
    """
    notice = Notice(kind)
    values = {
        "tenant_id": tenant_id,
        "kind": notice.value,
        "allowed": [r.value for r in Role if may(r, _NEEDS[notice])],
        "by_default": [r.value for r in _BY_DEFAULT[notice]],
    }
    rows = (await connection.execute(_WANTS, values)).mappings()
    return [Recipient(**{**row, "role": Role(row["role"])}) for row in rows]


async def choices(connection: AsyncConnection, person: SignedIn) -> dict[Notice, bool]:
    """Return the notices that a person can have in the chosen business, and whether they do.

    Args:
        connection: the business's scope.
        person: who is signed in, with a role in the chosen business.
    """
    role, tenant_id = _place(person)
    values = {"tenant_id": tenant_id, "user_id": person.user_id}
    own = {row.kind: row.email for row in await connection.execute(_CHOICES, values)}
    return {
        notice: own.get(notice.value, role in _BY_DEFAULT[notice])
        for notice in Notice
        if may(role, _NEEDS[notice])
    }


async def choose(
    connection: AsyncConnection, person: SignedIn, wanted: set[str], device: Device
) -> None:
    """Have a person told of the notices named, and of no others; a change is audited.

    Args:
        connection: the business's scope.
        person: who is signed in, with a role in the chosen business.
        wanted: kinds; what the role does not show is left out.
        device: from where.
    """
    _, tenant_id = _place(person)
    before = await choices(connection, person)
    changed = {n: n.value in wanted for n in before if before[n] != (n.value in wanted)}
    for notice, email in changed.items():
        values = {"tenant_id": tenant_id, "user_id": person.user_id}
        await connection.execute(_CHOOSE, values | {"kind": notice.value, "email": email})
    if changed:
        await service.record(
            connection,
            tenant_id,
            actor_of(person, device),
            action="member.notices",
            subject=str(person.user_id),
            before={n.value: before[n] for n in changed},
            after={n.value: email for n, email in changed.items()},
        )


def _place(person: SignedIn) -> tuple[Role, UUID]:
    if person.role is None or person.tenant_id is None:
        raise RefusedError("Choose a business first; notices belong to one.")
    return person.role, person.tenant_id
