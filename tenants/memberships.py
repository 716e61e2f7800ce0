"""The team of a business: who belongs to it, as what; no business loses its last owner.

Every change of owners first locks the rows of all owners, in one order. Two owners who leave
at the same moment are taken one after the other, and the second finds nobody left beside them.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError, ForbiddenError, NotFoundError, Word
from tenants import service
from tenants.access import Permission, Role, may_grant
from tenants.accounts import Accounts
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.letters import Letters
from tenants.login_sessions import SignedIn

LAST_OWNER = Word("The last owner cannot leave. Make somebody else an owner first.")

# Names and addresses stand in a platform table, so the system's login reads them, by tenant.
_TEAM = text(
    """
    select u.id as user_id, u.name, u.email, m.role, m.created_at,
           u.totp_confirmed_at is not null
               or exists (select 1 from passkeys p where p.user_id = u.id) as has_second_factor
    from memberships m join users u on u.id = m.user_id
    where m.tenant_id = :tenant_id
    order by array_position(array['owner', 'manager', 'agent'], m.role), lower(u.name), u.id
    """
)
_LOCK_OWNERS = text(
    "select user_id from memberships where tenant_id = :tenant_id and role = 'owner'"
    " order by user_id for update"
)
_LOCK_MEMBER = text(
    """
    select m.role, u.name, u.email, u.locale, t.name as business
    from memberships m join users u on u.id = m.user_id join tenants t on t.id = m.tenant_id
    where m.tenant_id = :tenant_id and m.user_id = :user_id for update of m
    """
)
_SET_ROLE = text(
    "update memberships set role = :role where tenant_id = :tenant_id and user_id = :user_id"
)
_REMOVE = text("delete from memberships where tenant_id = :tenant_id and user_id = :user_id")
# Whoever leaves leaves conversations to nobody in particular.
_UNASSIGN = text(
    "update conversations set assignee_id = null"
    " where tenant_id = :tenant_id and assignee_id = :user_id"
)
# What is open in a browser of somebody who left shows no business any more.
_FORGET = text(
    "update login_sessions set business_id = null"
    " where user_id = :user_id and business_id = :tenant_id"
)
# What somebody offered with rights that they no longer have is withdrawn.
_WITHDRAW = text(
    """
    update invitations set revoked_at = now()
    where tenant_id = :tenant_id and invited_by = :user_id and accepted_at is null
      and revoked_at is null and role <> all(cast(:grantable as text[]))
    """
)


@dataclass(frozen=True, slots=True)
class Member:
    """A line of the team page."""

    user_id: UUID
    name: str
    email: str
    role: Role
    created_at: datetime
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class _Locked:
    role: Role
    name: str
    email: str
    locale: str
    business: str


class Team:
    """Shows and changes who belongs to a business."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._database = accounts.database

    async def members(self, person: SignedIn) -> list[Member]:
        """Return the team of the chosen business: owners first, then by name."""
        tenant_id = person.business(Permission.READ_TEAM)
        async with self._database.system_statement() as connection:
            rows = (await connection.execute(_TEAM, {"tenant_id": tenant_id})).mappings().all()
        return [Member(**{**row, "role": Role(row["role"])}) for row in rows]

    async def change_role(
        self, person: SignedIn, user_id: UUID, role: Role, device: Device
    ) -> None:
        """Give a member another role.

        Raises:
            ForbiddenError: only owners change roles.
            ConflictError: the last owner would cease to be one.
        """
        tenant_id = person.business(Permission.EDIT_TEAM)
        async with self._database.system() as connection:
            member = await self._lock(connection, tenant_id, user_id)
            if member.role is role:
                return
            if member.role is Role.OWNER:
                await _require_another_owner(connection, tenant_id, user_id)
            values = {"tenant_id": tenant_id, "user_id": user_id, "role": role}
            await connection.execute(_SET_ROLE, values)
            await _withdraw(connection, tenant_id, user_id, role)
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="member.change_role",
                subject=str(user_id),
                before={"role": member.role},
                after={"role": role},
            )
            letter = self._letters(member).role_changed(member.business, role)
            await self._accounts.mail(connection, member.email, letter, device)

    async def remove(self, person: SignedIn, user_id: UUID, device: Device) -> None:
        """Remove a member. Owners remove anybody, managers agents, everybody themselves."""
        if user_id == person.user_id:
            await self.leave(person, device)
            return
        tenant_id = person.business(Permission.INVITE)
        person.require_recent()
        async with self._database.system() as connection:
            member = await self._lock(connection, tenant_id, user_id)
            if person.role is None or not may_grant(person.role, member.role):
                raise ForbiddenError("Only an owner can remove this person.")
            await self._remove(
                connection,
                person,
                tenant_id=tenant_id,
                user_id=user_id,
                member=member,
                device=device,
            )
            letter = self._letters(member).removed(member.business)
            await self._accounts.mail(connection, member.email, letter, device)

    async def leave(self, person: SignedIn, device: Device) -> None:
        """Leave the chosen business; ConflictError for its last owner."""
        tenant_id = person.business(Permission.READ_TEAM)
        async with self._database.system() as connection:
            member = await self._lock(connection, tenant_id, person.user_id)
            await self._remove(
                connection,
                person,
                tenant_id=tenant_id,
                user_id=person.user_id,
                member=member,
                device=device,
            )

    async def transfer_ownership(self, person: SignedIn, user_id: UUID, device: Device) -> None:
        """Make a member an owner and oneself a manager, in one step."""
        tenant_id = person.business(Permission.TRANSFER_OWNERSHIP)
        if user_id == person.user_id:
            raise ConflictError("You own this business already.")
        async with self._database.system() as connection:
            await connection.execute(_LOCK_OWNERS, {"tenant_id": tenant_id})
            own = await self._lock(connection, tenant_id, person.user_id)
            if own.role is not Role.OWNER:
                raise ForbiddenError("Only an owner can hand the business over.")
            heir = await self._lock(connection, tenant_id, user_id)
            for member_id, role in ((user_id, Role.OWNER), (person.user_id, Role.MANAGER)):
                await connection.execute(
                    _SET_ROLE, {"tenant_id": tenant_id, "user_id": member_id, "role": role}
                )
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="business.transfer_ownership",
                subject=str(tenant_id),
                before={"owner": str(person.user_id)},
                after={"owner": str(user_id)},
            )
            letter = self._letters(heir).inherited(heir.business)
            await self._accounts.mail(connection, heir.email, letter, device)

    async def _remove(
        self,
        connection: AsyncConnection,
        person: SignedIn,
        *,
        tenant_id: UUID,
        user_id: UUID,
        member: _Locked,
        device: Device,
    ) -> None:
        if member.role is Role.OWNER:
            await _require_another_owner(connection, tenant_id, user_id)
        values = {"tenant_id": tenant_id, "user_id": user_id}
        await connection.execute(_REMOVE, values)
        await connection.execute(_UNASSIGN, values)
        await connection.execute(_FORGET, values)
        await _withdraw(connection, tenant_id, user_id, None)
        await service.record(
            connection,
            tenant_id,
            actor_of(person, device),
            action="member.remove",
            subject=str(user_id),
            before={"role": member.role},
        )

    async def _lock(self, connection: AsyncConnection, tenant_id: UUID, user_id: UUID) -> _Locked:
        # Owners first, always: whoever changes them waits here, so none deadlocks.
        await connection.execute(_LOCK_OWNERS, {"tenant_id": tenant_id})
        found = await connection.execute(_LOCK_MEMBER, {"tenant_id": tenant_id, "user_id": user_id})
        row = found.one_or_none()
        if row is None:
            raise NotFoundError("There is no such member.")
        return _Locked(Role(row.role), row.name, row.email, row.locale, row.business)

    def _letters(self, member: _Locked) -> Letters:
        return self._accounts.letters(member.locale)


async def _require_another_owner(
    connection: AsyncConnection, tenant_id: UUID, user_id: UUID
) -> None:
    owners = (await connection.execute(_LOCK_OWNERS, {"tenant_id": tenant_id})).scalars().all()
    if not any(owner != user_id for owner in owners):
        raise ConflictError(LAST_OWNER)


async def _withdraw(
    connection: AsyncConnection, tenant_id: UUID, user_id: UUID, role: Role | None
) -> None:
    """Withdraw a person's invitations to roles that they may not (any longer) grant."""
    grantable = [r.value for r in Role if role is not None and may_grant(role, r)]
    values = {"tenant_id": tenant_id, "user_id": user_id, "grantable": grantable}
    await connection.execute(_WITHDRAW, values)
