"""Platform admins: made by an operator, bound to a second factor, acting for a business openly.

Acting for a business (impersonation) needs a reason, ends after at most an hour, is written
into that business's own audit trail, and is limited by ``access.IMPERSONATION``: it shows no
secret, takes nothing away and does not speak to customers.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core.errors import NotFoundError, RefusedError
from app.core.text import storable
from tenants import account_log, account_tokens, login_sessions, second_factor, service, users
from tenants.accounts import Accounts
from tenants.devices import Device
from tenants.letters import Change
from tenants.login_sessions import OpenSession, SignedIn
from tenants.service import Actor

IMPERSONATION_MAX_S = 3600
REASON_CHARS = (10, 500)

_START = text(
    """
    update login_sessions set business_id = :tenant_id, impersonation_reason = :reason,
        impersonation_until = now() + make_interval(secs => :seconds)
    where id = :session_id returning impersonation_until
    """
)
_STOP = text(
    """
    update login_sessions set impersonation_until = null, impersonation_reason = null,
        business_id = null
    where id = :session_id and impersonation_until is not null
    """
)
_STATUS = text("select status from tenants where id = :id for update")
_SET_STATUS = text("update tenants set status = :status, status_reason = :reason where id = :id")
_DISABLE = text(
    "update users set disabled_at = case when :disabled then coalesce(disabled_at, now()) end"
    " where id = :id"
)


@dataclass(frozen=True, slots=True)
class NewAdmin:
    """An admin account, and the token of the link that sets its password."""

    user_id: UUID
    email: str
    token: str
    created: bool


class Admins:
    """What operators do to admins, and admins to businesses and people."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._database = accounts.database

    async def create(self, email: str, name: str, operator: str, *, send: bool) -> NewAdmin:
        """Make somebody a platform admin; return (and mail, if asked) a link to set a password.

        The link confirms the address. Rights begin once a second factor is enrolled.
        """
        email, name = users.normalise_email(email), users.normalise_name(name)
        actor = Actor("operator", operator)
        async with self._database.system() as connection:
            created = await users.insert(connection, email=email, name=name, password_hash=None)
            user = await users.by_email(connection, email)
            if user is None:
                raise NotFoundError("There is no such account.")
            await users.set_admin(connection, user.id, admin=True)
            # Whoever was signed in before the account had these rights signs in again.
            await login_sessions.revoke_all(connection, user.id)
            token = await account_tokens.issue(connection, user.id, "set_password")
            await account_log.note(
                connection,
                actor,
                action="admin.create",
                subject=str(user.id),
                user_id=user.id,
                before={"admin": user.admin},
                after={"admin": True},
            )
            if send:
                letter = self._accounts.letters(user.locale).set_password(user.name, token)
                await self._accounts.mail(connection, email, letter, Device("", "operator"))
        return NewAdmin(user.id, email, token, created is not None)

    async def impersonate(
        self, person: SignedIn, tenant_id: UUID, *, reason: str, minutes: int, device: Device
    ) -> tuple[OpenSession, datetime]:
        """Act for a business; return the rotated session and when it ends.

        Raises:
            NotFoundError: the person is no admin, or there is no such business.
            StepUpNeededError: the last proof is not recent.
            RefusedError: without a reason, or for longer than an hour.
        """
        person.require_admin()
        person.require_recent()
        reason = " ".join(storable(reason).split())
        low, high = REASON_CHARS
        if not low <= len(reason) <= high:
            raise RefusedError(
                "Give a reason of %(low)s to %(high)s characters; the business sees it.",
                low=low,
                high=high,
            )
        if not 1 <= minutes <= IMPERSONATION_MAX_S // 60:
            raise RefusedError("Acting for a business lasts 1 to 60 minutes.")
        actor = Actor("admin", str(person.user_id), device.address, device.request_id)
        async with self._database.system() as connection:
            status = await connection.scalar(_STATUS, {"id": tenant_id})
            if status is None or status == "closed":
                raise NotFoundError("There is no such business.")
            until: datetime = await connection.scalar(
                _START,
                {
                    "tenant_id": tenant_id,
                    "reason": reason,
                    "seconds": minutes * 60,
                    "session_id": person.session_id,
                },
            )
            await service.record(
                connection,
                tenant_id,
                actor,
                action="impersonation.start",
                subject=str(tenant_id),
                after={"until": until.isoformat()},
                reason=reason,
            )
            session = await login_sessions.rotate(connection, person.session_id, person.user_id)
        return session, until

    async def stop_impersonating(self, person: SignedIn, device: Device) -> None:
        """Give the business back, before its time is over."""
        actor = Actor("admin", str(person.user_id), device.address, device.request_id)
        async with self._database.system() as connection:
            done = await connection.execute(_STOP, {"session_id": person.session_id})
            if done.rowcount and person.tenant_id is not None:
                await service.record(
                    connection,
                    person.tenant_id,
                    actor,
                    action="impersonation.stop",
                    subject=str(person.tenant_id),
                )

    async def disable(
        self, person: SignedIn, user_id: UUID, *, disabled: bool, reason: str, device: Device
    ) -> None:
        """Lock an account out and end its sessions, or let it in again."""
        person.require_admin()
        person.require_recent()
        if user_id == person.user_id:
            raise RefusedError("You cannot lock yourself out.")
        actor = Actor("admin", str(person.user_id), device.address, device.request_id)
        async with self._database.system() as connection:
            user = await users.by_id(connection, user_id)
            await connection.execute(_DISABLE, {"id": user_id, "disabled": disabled})
            if disabled:
                await login_sessions.revoke_all(connection, user_id)
            await account_log.note(
                connection,
                actor,
                action="account.disable" if disabled else "account.enable",
                subject=str(user_id),
                user_id=user_id,
                before={"disabled": user.disabled},
                after={"disabled": disabled},
                reason=reason,
            )

    async def reset_factor(
        self, person: SignedIn, user_id: UUID, *, reason: str, device: Device
    ) -> None:
        """Take somebody's second factor away who lost it, and end their sessions; they are told.

        Whoever asks has to be known to be who they say; ``reason`` says how that was found out.
        The password stays, so that nobody gets in by talking to the operator alone.

        Raises:
            NotFoundError: the person is no admin, or there is no such account.
            StepUpNeededError: the last proof is not recent.
            RefusedError: no reason, their own account, or there is nothing to reset.
        """
        person.require_admin()
        person.require_recent()
        reason = " ".join(storable(reason).split())
        if not reason:
            raise RefusedError("Say how you know who asks for it.")
        if user_id == person.user_id:
            raise RefusedError("Another admin has to reset your own second factor.")
        actor = Actor("admin", str(person.user_id), device.address, device.request_id)
        async with self._database.system() as connection:
            user = await users.by_id(connection, user_id)
            if not user.has_second_factor:
                raise RefusedError("This account has no second factor.")
            await second_factor.forget(connection, user_id)
            await login_sessions.revoke_all(connection, user_id)
            await account_log.note(
                connection,
                actor,
                action="account.reset_factor",
                subject=str(user_id),
                user_id=user_id,
                before={"totp": user.has_totp, "passkeys": user.has_passkey},
                reason=reason,
            )
            letter = self._accounts.letters(user.locale).account_changed(
                user.name, Change.FACTOR_RESET
            )
            await self._accounts.mail(connection, user.email, letter, device)

    async def set_status(self, tenant_id: UUID, *, status: str, reason: str, actor: Actor) -> None:
        """Suspend a business (``suspended``) or let it work again (``active``).

        The reason of a suspension stands above every page of the business.

        Raises:
            NotFoundError: there is no such business.
            RefusedError: it is closing or closed, the status is another one, or no reason.
        """
        reason = " ".join(storable(reason).split())
        if not reason:
            raise RefusedError("Say why: the business reads the reason.")
        if status not in {"active", "suspended"}:
            raise RefusedError("A business is suspended or active; closing it is its owner's.")
        async with self._database.system() as connection:
            before = await connection.scalar(_STATUS, {"id": tenant_id})
            if before is None:
                raise NotFoundError("There is no such business.")
            if before in {"closing", "closed"}:
                raise RefusedError("The business is closing, or closed.")
            kept = reason if status == "suspended" else None
            await connection.execute(
                _SET_STATUS, {"id": tenant_id, "status": status, "reason": kept}
            )
            await service.record(
                connection,
                tenant_id,
                actor,
                action="business.set_status",
                subject=str(tenant_id),
                before={"status": before},
                after={"status": status},
                reason=reason,
            )
