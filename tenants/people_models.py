"""Tables of people: users, their sign-in, teams, API keys, one-time codes, consents.

``users`` and ``login_sessions`` stand on the closed list of tables without row level
security; the app's login has no right on them at all. What belongs to a person but to no
business is seen by ``parley_system`` only.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow
from tenants.models import ACTOR_KINDS, one_of

ROLES = ("owner", "manager", "agent")
FACTORS = ("password", "totp", "recovery", "passkey", "link")
TOKEN_PURPOSES = ("verify_email", "reset_password", "change_email", "set_password")
CEREMONIES = ("register", "sign_in")
CODE_PURPOSES = ("owner_phone", "identity")
CONSENT_KINDS = ("terms", "ai_disclosure", "whatsapp_number")


class User(Stamped, Base):
    """A person who signs in. The e-mail is stored in lower case; the TOTP seed is sealed."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email) and email like '%_@_%'", "email"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str | None]
    password_changed_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    admin: Mapped[bool] = mapped_column(server_default=text("false"))
    disabled_at: Mapped[datetime | None]
    locale: Mapped[str] = mapped_column(server_default="en")
    totp_secret: Mapped[bytes | None]
    totp_confirmed_at: Mapped[datetime | None]
    totp_counter: Mapped[int | None] = mapped_column(BigInteger)
    terms_version: Mapped[str | None]
    terms_at: Mapped[datetime | None]
    phone: Mapped[str | None]
    phone_verified_at: Mapped[datetime | None]


class LoginSession(Stamped, Base):
    """A signed-in browser. ``business_id`` is the business chosen in the switcher."""

    __tablename__ = "login_sessions"
    __table_args__ = (
        CheckConstraint(one_of("factor", FACTORS), "factor"),
        CheckConstraint(
            "(impersonation_until is null) = (impersonation_reason is null)", "impersonation"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    factor: Mapped[str]
    awaiting_factor: Mapped[bool] = mapped_column(server_default=text("false"))
    second_factor_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    business_id: Mapped[UUID | None]
    impersonation_until: Mapped[datetime | None]
    impersonation_reason: Mapped[str | None]
    address: Mapped[str]
    agent: Mapped[str]
    used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]


class AccountToken(Stamped, Base):
    """A link sent by e-mail: stored hashed, usable once, until it expires."""

    __tablename__ = "account_tokens"
    __table_args__ = (CheckConstraint(one_of("purpose", TOKEN_PURPOSES), "purpose"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), index=True)
    purpose: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    new_email: Mapped[str | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RecoveryCode(Stamped, Base):
    """One of the ten codes that stand in for a lost authenticator, each usable once."""

    __tablename__ = "recovery_codes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), index=True)
    code_hash: Mapped[bytes]
    used_at: Mapped[datetime | None]


class Passkey(Stamped, Base):
    """A WebAuthn credential of a user."""

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    backed_up: Mapped[bool] = mapped_column(server_default=text("false"))
    used_at: Mapped[datetime | None]


class PasskeyChallenge(Stamped, Base):
    """A challenge that a browser must sign; used once, within five minutes."""

    __tablename__ = "passkey_challenges"
    __table_args__ = (CheckConstraint(one_of("ceremony", CEREMONIES), "ceremony"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    challenge: Mapped[bytes]
    ceremony: Mapped[str]
    expires_at: Mapped[datetime]


class AccountLogEntry(Base):
    """What happened to a person's account or the platform; append-only."""

    __tablename__ = "account_log"
    __table_args__ = (
        CheckConstraint(one_of("actor_kind", ACTOR_KINDS), "actor_kind"),
        Index(None, "user_id", "at"),
        Index("ix_account_log_at", "at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    user_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    actor_id: Mapped[str | None]
    action: Mapped[str]
    subject: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[str | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]


class Membership(Stamped, Base):
    """That a person works for a business, and as what."""

    __tablename__ = "memberships"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("role", ROLES), "role"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), primary_key=True, index=True)
    role: Mapped[str]


class Invitation(TenantRow, Stamped, Base):
    """An e-mail that asks somebody to join; at most one is open per address."""

    __tablename__ = "invitations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("role", ROLES), "role"),
        CheckConstraint("(accepted_at is null) = (accepted_by is null)", "accepted"),
        Index(
            "uq_invitations_open",
            "tenant_id",
            "email",
            unique=True,
            postgresql_where=text("accepted_at is null and revoked_at is null"),
        ),
    )

    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[UUID]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]


class ApiKey(TenantRow, Stamped, Base):
    """A key of a tenant's program: found by ``public_id``, proved by the secret's hash."""

    __tablename__ = "api_keys"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    public_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    secret_hash: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PhoneCode(TenantRow, Stamped, Base):
    """A one-time code sent by WhatsApp; number and code are stored as keyed hashes.

    ``wa_id`` is the message's WhatsApp id, by which its echo is known as ours.
    """

    __tablename__ = "phone_codes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("purpose", CODE_PURPOSES), "purpose"),
        Index(None, "tenant_id", "phone_hash"),
        Index(None, "tenant_id", "channel_id", "wa_id"),
    )

    channel_id: Mapped[UUID]
    wa_id: Mapped[str | None]
    purpose: Mapped[str]
    phone_hash: Mapped[str]
    code_hash: Mapped[str]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Consent(TenantRow, Base):
    """What the business agreed to, by whom, in which version, when and from where."""

    __tablename__ = "consents"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("kind", CONSENT_KINDS), "kind"),
    )

    user_id: Mapped[UUID]
    kind: Mapped[str]
    version: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    address: Mapped[str | None]
