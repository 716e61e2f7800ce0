"""Invitations into a team: mailed, valid for seven days, accepted by whoever has the mailbox."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core import ids
from app.core.errors import ConflictError, ForbiddenError, NotFoundError, Word
from tenants import service, users
from tenants.access import Permission, Role, may_grant
from tenants.accounts import Accounts
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import Actor
from tenants.tokens import hash_token, is_token, new_token

LIFETIME_S = 7 * 24 * 3600
OPEN_MAX = 100
_GONE = Word("This invitation is no longer valid. Ask for a new one.")

_MEMBER = text(
    """
    select 1 from memberships m join users u on u.id = m.user_id
    where m.tenant_id = :tenant_id and u.email = :email
    """
)
# One invitation of a business at a time: of two at once for one address the later one counts.
# The mail is in the language of whoever has an account, else of the business.
_LOCK = text(
    """
    select coalesce((select u.locale from users u where u.email = :email), t.locale) as locale
    from tenants t where t.id = :tenant_id for no key update of t
    """
)
# A second invitation of the same address replaces the first: only the last mail counts.
_REPLACE = text(
    """
    update invitations set revoked_at = now()
    where tenant_id = :tenant_id and email = :email and accepted_at is null
      and revoked_at is null
    """
)
_INSERT = text(
    """
    insert into invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at)
    values (:tenant_id, :id, :email, :role, :token_hash, :invited_by,
            now() + make_interval(secs => :lifetime_s))
    """
)
_OPEN = text(
    """
    select i.id, i.email, i.role, i.created_at, i.expires_at, i.expires_at < now() as expired
    from invitations i
    where i.tenant_id = :tenant_id and i.accepted_at is null and i.revoked_at is null
    order by i.created_at desc limit :rows_max
    """
)
_REVOKE = text(
    """
    update invitations set revoked_at = now()
    where tenant_id = :tenant_id and id = :id and accepted_at is null and revoked_at is null
    returning role
    """
)
_FIND = """
    select i.tenant_id, i.id, i.email, i.role, t.name as business, u.name as inviter,
           e.id as existing_user
    from invitations i join tenants t on t.id = i.tenant_id and t.status = 'active'
    join users u on u.id = i.invited_by
    left join users e on e.email = i.email
    where i.token_hash = :token_hash and i.accepted_at is null and i.revoked_at is null
      and i.expires_at > now()
"""
_LOOK = text(_FIND)
_TAKE = text(f"{_FIND} for update of i")
_OFFERED = text(
    """
    select t.name from invitations i
    join tenants t on t.id = i.tenant_id and t.status = 'active'
    where i.email = :email and i.accepted_at is null and i.revoked_at is null
      and i.expires_at > now()
    order by i.created_at desc limit 1
    """
)
_ACCEPT = text(
    "update invitations set accepted_at = now(), accepted_by = :user_id"
    " where tenant_id = :tenant_id and id = :id"
)
_JOIN = text(
    """
    insert into memberships (tenant_id, user_id, role) values (:tenant_id, :user_id, :role)
    on conflict (tenant_id, user_id) do nothing
    """
)
# Whoever acts for a business stops that: the one chosen here is their own.
_CHOOSE = text(
    "update login_sessions set business_id = :tenant_id, impersonation_until = null,"
    " impersonation_reason = null where id = :session_id"
)


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """A line of the team page: an invitation that nobody has accepted yet."""

    id: UUID
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime
    expired: bool


@dataclass(frozen=True, slots=True)
class InvitationView:
    """What the invited person sees before accepting.

    ``has_account`` says whether to ask for a sign-in or a registration.
    """

    business: str
    inviter: str
    email: str
    role: Role
    has_account: bool


class Invitations:
    """Invites people, withdraws invitations, and lets people accept theirs."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._database = accounts.database

    async def invite(self, person: SignedIn, email: str, role: Role, device: Device) -> UUID:
        """Mail an invitation; return its id.

        Raises:
            ForbiddenError: managers invite agents, owners anybody.
            ConflictError: the address belongs to a member already.
            TooManyAttemptsError: five mails an hour to one address.
        """
        tenant_id = person.business(Permission.INVITE)
        if person.role is None or not may_grant(person.role, role):
            raise ForbiddenError("Only an owner can invite somebody as this.")
        email = users.normalise_email(email)
        await self._accounts.throttles.mail_link(email, device.address)
        invitation_id, token = ids.uuid7(), new_token()
        async with self._database.system() as connection:
            key = {"tenant_id": tenant_id, "email": email}
            language = str(await connection.scalar(_LOCK, key))
            if await connection.scalar(_MEMBER, key):
                raise ConflictError("This person belongs to the team already.")
            await connection.execute(_REPLACE, key)
            await connection.execute(
                _INSERT,
                {
                    **key,
                    "id": invitation_id,
                    "role": role,
                    "token_hash": token.hash,
                    "invited_by": person.user_id,
                    "lifetime_s": LIFETIME_S,
                },
            )
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="member.invite",
                subject=str(invitation_id),
                after={"email": email, "role": role},
            )
            letter = self._accounts.letters(language).invitation(
                person.tenant_name or "Parley", person.name, role, token.text
            )
            await self._accounts.outbox.queue(
                connection,
                to=email,
                letter=letter,
                key=f"invitation:{invitation_id}",
                tenant_id=tenant_id,
                request_id=device.request_id,
            )
        return invitation_id

    async def open(self, person: SignedIn) -> list[OpenInvitation]:
        """Return invitations that are not accepted, the newest first."""
        tenant_id = person.business(Permission.READ_TEAM)
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(_OPEN, {"tenant_id": tenant_id, "rows_max": OPEN_MAX})
            return [
                OpenInvitation(**{**row, "role": Role(row["role"])}) for row in found.mappings()
            ]

    async def revoke(self, person: SignedIn, invitation_id: UUID, device: Device) -> None:
        """Withdraw an invitation; its link stops working. NotFoundError for a foreign one."""
        tenant_id = person.business(Permission.INVITE)
        async with self._database.tenant(tenant_id) as connection:
            role = await connection.scalar(_REVOKE, {"tenant_id": tenant_id, "id": invitation_id})
            if role is None:
                raise NotFoundError("There is no such invitation.")
            if person.role is None or not may_grant(person.role, role):
                raise ForbiddenError("Only an owner can withdraw this invitation.")
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="member.revoke_invitation",
                subject=str(invitation_id),
            )

    async def look(self, token: str) -> InvitationView:
        """Return what an invitation says; NotFoundError when it is not valid (any more)."""
        if not is_token(token):
            raise NotFoundError(_GONE)
        async with self._database.system_statement() as connection:
            row = (await connection.execute(_LOOK, {"token_hash": hash_token(token)})).one_or_none()
        if row is None:
            raise NotFoundError(_GONE)
        return InvitationView(
            row.business, row.inviter, row.email, Role(row.role), row.existing_user is not None
        )

    async def offered(self, person: SignedIn) -> str | None:
        """Return the business that invited this person last and still waits for them."""
        async with self._database.system_statement() as connection:
            name: str | None = await connection.scalar(_OFFERED, {"email": person.email})
            return name

    async def accept(self, person: SignedIn, token: str, device: Device) -> UUID:
        """Join the business that an invitation is for, and choose it; return its id.

        The signed-in person must have the invited address: a forwarded link is no key.

        Raises:
            NotFoundError: the invitation is not valid (any more).
            ForbiddenError: it is for another address.
        """
        person.require_complete()
        if not is_token(token):
            raise NotFoundError(_GONE)
        async with self._database.system() as connection:
            row = (await connection.execute(_TAKE, {"token_hash": hash_token(token)})).one_or_none()
            if row is None:
                raise NotFoundError(_GONE)
            if row.email != person.email:
                raise ForbiddenError(
                    "This invitation is for another e-mail address. Sign in with that one."
                )
            key = {"tenant_id": row.tenant_id, "user_id": person.user_id}
            await connection.execute(_ACCEPT, {**key, "id": row.id})
            await connection.execute(_JOIN, {**key, "role": row.role})
            await connection.execute(
                _CHOOSE, {"tenant_id": row.tenant_id, "session_id": person.session_id}
            )
            await service.record(
                connection,
                row.tenant_id,
                Actor("user", str(person.user_id), device.address, device.request_id),
                action="member.join",
                subject=str(person.user_id),
                after={"role": row.role},
            )
            tenant_id: UUID = row.tenant_id
            return tenant_id
