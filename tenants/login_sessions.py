"""Sessions of signed-in browsers: an opaque token in the cookie, its hash and its facts here.

A session ends 12 h after its last request and 30 days after it began, on PostgreSQL's clock;
one that still owes its second factor ends after ten minutes. The token changes at sign-in and
whenever the session's rights grow, so that a token seen before is worth nothing afterwards.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ForbiddenError, NotFoundError, NotSignedInError
from tenants.access import (
    IMPERSONATION,
    STEP_UP,
    WHILE_SUSPENDED,
    Permission,
    Role,
    require,
)
from tenants.devices import Device
from tenants.tokens import hash_token, is_token, new_token

IDLE_S = 12 * 3600
ABSOLUTE_S = 30 * 24 * 3600
AWAITING_S = 600
STEP_UP_S = 600
FACTOR_GRACE_DAYS = 7
"""How long somebody may work without the second factor that a business asks for."""
_TOUCH_AFTER_S = 60

_INSERT = text(
    """
    insert into login_sessions (id, user_id, token_hash, factor, awaiting_factor,
                                second_factor_at, business_id, address, agent, expires_at)
    values (:id, :user_id, :token_hash, :factor, :awaiting,
            case when :second then now() end,
            (select tenant_id from memberships where user_id = :user_id
             order by created_at limit 1),
            :address, :agent,
            now() + make_interval(secs => :lifetime_s))
    """
)
_ALIVE = f"s.expires_at > now() and s.used_at > now() - interval '{IDLE_S} seconds'"
# One read a request: the session, its person, and what they are in the chosen business.
# An impersonation that has run out is as if there were none.
_FIND = text(
    f"""
    select s.id, s.user_id, u.email, u.name, u.locale, u.admin, s.awaiting_factor, s.factor,
           s.second_factor_at is not null as second_factor,
           u.totp_confirmed_at is not null
               or exists (select 1 from passkeys p where p.user_id = u.id) as has_second_factor,
           s.confirmed_at > now() - interval '{STEP_UP_S} seconds' as confirmed_recently,
           s.used_at < now() - interval '{_TOUCH_AFTER_S} seconds' as stale,
           case when s.impersonation_until > now() then s.impersonation_until end
               as impersonation_until,
           t.id as tenant_id, t.name as tenant_name, t.slug as tenant_slug,
           t.status as tenant_status, t.status_reason as tenant_status_reason, m.role,
           greatest(t.second_factor_since, m.created_at)
               + interval '{FACTOR_GRACE_DAYS} days' as factor_due_at,
           now() > greatest(t.second_factor_since, m.created_at)
               + interval '{FACTOR_GRACE_DAYS} days' as factor_overdue,
           t.second_factor_since is not null as factor_wanted
    from login_sessions s
    join users u on u.id = s.user_id
    left join tenants t on t.id = s.business_id
    left join memberships m on m.tenant_id = t.id and m.user_id = s.user_id
    where s.token_hash = :token_hash and u.disabled_at is null and {_ALIVE}
    """  # noqa: S608 - figures of ours
)
_TOUCH = text("update login_sessions set used_at = now(), address = :address where id = :id")
_ROTATE = text(
    """
    update login_sessions set token_hash = :token_hash, confirmed_at = now(), used_at = now(),
        awaiting_factor = awaiting_factor and not :second,
        factor = coalesce(:factor, factor),
        second_factor_at = case when :second then now() else second_factor_at end,
        expires_at = case when awaiting_factor and :second
                          then now() + make_interval(secs => :absolute_s) else expires_at end
    where id = :id
    """
)
_SWITCH = text(
    """
    update login_sessions s set business_id = :tenant_id,
        impersonation_until = null, impersonation_reason = null
    where s.id = :id and exists (
        select 1 from memberships m join tenants t on t.id = m.tenant_id
        where m.tenant_id = :tenant_id and m.user_id = s.user_id and t.status <> 'closed')
    """
)
_REVOKE = text("delete from login_sessions where user_id = :user_id and id = :id")
_REVOKE_ALL = text(
    "delete from login_sessions where user_id = :user_id"
    " and (cast(:keep as uuid) is null or id <> :keep)"
)
_DEVICES = text(
    f"""
    select id, agent, address, factor, created_at, used_at from login_sessions s
    where user_id = :user_id and not awaiting_factor and {_ALIVE}
    order by used_at desc limit 100
    """  # noqa: S608 - figures of ours
)
_PRUNE = text(f"delete from login_sessions s where not ({_ALIVE})")  # noqa: S608


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session just opened or rotated: the token goes into the cookie and nowhere else."""

    id: UUID
    user_id: UUID
    token: str
    awaiting_factor: bool


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a request, in which business and as what.

    ``role`` is None outside a business. An admin counts as one only with a second factor.
    ``factor_due_at`` is when the business closes to them, if it asks for a factor they lack.
    """

    session_id: UUID
    user_id: UUID
    email: str
    name: str
    locale: str
    admin: bool
    must_enrol: bool
    awaiting_factor: bool
    second_factor: bool
    confirmed_recently: bool
    tenant_id: UUID | None
    tenant_name: str | None
    tenant_slug: str | None
    tenant_status: str | None
    role: Role | None
    impersonation_until: datetime | None
    tenant_status_reason: str | None = None
    factor_due_at: datetime | None = None
    factor_overdue: bool = False

    @property
    def impersonating(self) -> bool:
        """True while an admin acts for a business that is not theirs."""
        return self.impersonation_until is not None

    def business(self, permission: Permission) -> UUID:
        """Return the chosen business's id, if this person may do this there, and now.

        Raises:
            NotSignedInError: a second factor or a fresh proof (``step_up``) is missing.
            NotFoundError: no business is chosen, or it is not theirs.
            ForbiddenError: the role does not allow it, or the business is suspended.
        """
        self.require_complete()
        if self.tenant_id is None:
            raise NotFoundError("Choose a business first.")
        if self.impersonating:
            if permission not in IMPERSONATION:
                raise ForbiddenError("This is not possible while acting for a business.")
        elif self.role is None:
            raise NotFoundError("There is nothing here.")
        else:
            self._require_factor()
            require(self.role, permission)
            self._require_working(permission)
        if permission in STEP_UP:
            self.require_recent()
        return self.tenant_id

    def _require_factor(self) -> None:
        if self.factor_overdue:
            raise FactorNeededError(
                "This business asks for a second factor. Set one up in your account to go on."
            )

    def _require_working(self, permission: Permission) -> None:
        if self.tenant_status == "suspended" and permission not in WHILE_SUSPENDED:
            raise ForbiddenError(
                "This business is suspended: you can read, pay and export, and change nothing."
            )

    def require_complete(self) -> None:
        """Raise NotSignedInError while the second factor is owed: such a session is no sign-in."""
        if self.awaiting_factor:
            raise NotSignedInError("Enter the code of your second factor first.")

    def require_recent(self) -> None:
        """Raise StepUpNeededError unless the person proved themselves in the last ten minutes."""
        self.require_complete()
        if not self.confirmed_recently:
            raise StepUpNeededError("Confirm that it is you: enter your password or code again.")

    def require_admin(self) -> None:
        """Raise NotFoundError for others than admins: the admin pages do not exist for them."""
        self.require_complete()
        if not self.admin:
            raise NotFoundError("There is nothing here.")


class StepUpNeededError(NotSignedInError):
    """Signed in, but what is asked for needs a fresh proof."""

    code = "step_up"


class FactorNeededError(ForbiddenError):
    """The business asks for a second factor, and the time to set one up is over."""

    code = "factor_needed"


async def open_session(
    connection: AsyncConnection,
    user_id: UUID,
    device: Device,
    *,
    factor: str,
    awaiting_factor: bool = False,
    second_factor: bool = False,
) -> OpenSession:
    """Open a session with a token of its own; the person's first business is chosen."""
    session_id, token = ids.uuid7(), new_token()
    await connection.execute(
        _INSERT,
        {
            "id": session_id,
            "user_id": user_id,
            "token_hash": token.hash,
            "factor": factor,
            "awaiting": awaiting_factor,
            "second": second_factor,
            "address": device.address,
            "agent": device.agent,
            "lifetime_s": AWAITING_S if awaiting_factor else ABSOLUTE_S,
        },
    )
    return OpenSession(session_id, user_id, token.text, awaiting_factor)


async def find(connection: AsyncConnection, token: str, address: str) -> SignedIn | None:
    """Return who a cookie's token stands for; None when it is unknown, ended or too old."""
    if not is_token(token):
        return None
    row = (await connection.execute(_FIND, {"token_hash": hash_token(token)})).one_or_none()
    if row is None:
        return None
    if row.stale:
        await connection.execute(_TOUCH, {"id": row.id, "address": address})
    acting = row.impersonation_until is not None and row.admin and row.second_factor
    member = row.role is not None
    lacks_factor = row.factor_wanted and member and not acting and not row.has_second_factor
    return SignedIn(
        session_id=row.id,
        user_id=row.user_id,
        email=row.email,
        name=row.name,
        locale=row.locale,
        admin=row.admin and row.second_factor and not row.awaiting_factor,
        must_enrol=row.admin and not row.has_second_factor,
        awaiting_factor=row.awaiting_factor,
        second_factor=row.second_factor,
        confirmed_recently=row.confirmed_recently,
        tenant_id=row.tenant_id if member or acting else None,
        tenant_name=row.tenant_name if member or acting else None,
        tenant_slug=row.tenant_slug if member or acting else None,
        tenant_status=row.tenant_status if member or acting else None,
        role=Role(row.role) if member and not acting else None,
        impersonation_until=row.impersonation_until if acting else None,
        tenant_status_reason=row.tenant_status_reason if member or acting else None,
        factor_due_at=row.factor_due_at if lacks_factor else None,
        factor_overdue=bool(lacks_factor and row.factor_overdue),
    )


async def rotate(
    connection: AsyncConnection,
    session_id: UUID,
    user_id: UUID,
    *,
    factor: str | None = None,
    second_factor: bool = False,
) -> OpenSession:
    """Give a session a new token after a proof; the old one stops working with the commit.

    Only ``second_factor`` completes a session that still owes it.
    """
    token = new_token()
    await connection.execute(
        _ROTATE,
        {
            "id": session_id,
            "token_hash": token.hash,
            "factor": factor,
            "second": second_factor,
            "absolute_s": ABSOLUTE_S,
        },
    )
    return OpenSession(session_id, user_id, token.text, awaiting_factor=False)


async def switch(connection: AsyncConnection, session_id: UUID, tenant_id: UUID) -> None:
    """Choose another of the person's businesses; NotFoundError when it is not theirs."""
    done = await connection.execute(_SWITCH, {"id": session_id, "tenant_id": tenant_id})
    if not done.rowcount:
        raise NotFoundError("There is no such business.")


async def revoke(connection: AsyncConnection, user_id: UUID, session_id: UUID) -> None:
    """End one of a person's sessions; NotFoundError when it is not theirs."""
    done = await connection.execute(_REVOKE, {"user_id": user_id, "id": session_id})
    if not done.rowcount:
        raise NotFoundError("There is no such session.")


async def revoke_all(
    connection: AsyncConnection, user_id: UUID, *, keep: UUID | None = None
) -> int:
    """End all of a person's sessions, except one; return how many ended."""
    done = await connection.execute(_REVOKE_ALL, {"user_id": user_id, "keep": keep})
    return done.rowcount


@dataclass(frozen=True, slots=True)
class SessionView:
    """A line of the device list."""

    id: UUID
    agent: str
    address: str
    factor: str
    created_at: datetime
    used_at: datetime


async def devices(connection: AsyncConnection, user_id: UUID) -> list[SessionView]:
    """Return where a person is signed in, the latest used first, at most 100."""
    rows = await connection.execute(_DEVICES, {"user_id": user_id})
    return [SessionView(**row) for row in rows.mappings()]


async def prune(connection: AsyncConnection) -> int:
    """Delete sessions that have ended by time; return how many."""
    return (await connection.execute(_PRUNE)).rowcount
