"""People: users, sign-in, sessions, teams, invitations, API keys, one-time codes, closing.

Revision: 0005
Follows: 0004
"""

from alembic import op

from migrations.isolation import APPEND, isolate, isolate_platform, share

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

USERS = """
create table users (
    id uuid not null,
    email text not null,
    name text not null,
    password_hash text,
    password_changed_at timestamptz,
    email_verified_at timestamptz,
    admin boolean not null default false,
    disabled_at timestamptz,
    locale text not null default 'en',
    totp_secret bytea,
    totp_confirmed_at timestamptz,
    totp_counter bigint,
    terms_version text,
    terms_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_users primary key (id),
    constraint uq_users_email unique (email),
    constraint ck_users_email check (email = lower(email) and email like '%_@_%')
)
"""
LOGIN_SESSIONS = """
create table login_sessions (
    id uuid not null,
    user_id uuid not null,
    token_hash bytea not null,
    factor text not null,
    awaiting_factor boolean not null default false,
    second_factor_at timestamptz,
    confirmed_at timestamptz not null default now(),
    business_id uuid,
    impersonation_until timestamptz,
    impersonation_reason text,
    address text not null,
    agent text not null,
    used_at timestamptz not null default now(),
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint pk_login_sessions primary key (id),
    constraint fk_login_sessions_user_id foreign key (user_id) references users (id),
    constraint uq_login_sessions_token_hash unique (token_hash),
    constraint ck_login_sessions_factor
        check (factor in ('password', 'totp', 'recovery', 'passkey', 'link')),
    constraint ck_login_sessions_impersonation
        check ((impersonation_until is null) = (impersonation_reason is null))
)
"""
# Tables of the platform that belong to no tenant: only parley_system sees them.
PLATFORM = {
    "account_tokens": """
        user_id uuid not null,
        purpose text not null,
        token_hash bytea not null,
        new_email text,
        expires_at timestamptz not null,
        used_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_account_tokens primary key (id),
        constraint fk_account_tokens_user_id foreign key (user_id) references users (id),
        constraint uq_account_tokens_token_hash unique (token_hash),
        constraint ck_account_tokens_purpose check (
            purpose in ('verify_email', 'reset_password', 'change_email', 'set_password'))
    """,
    "recovery_codes": """
        user_id uuid not null,
        code_hash bytea not null,
        used_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_recovery_codes primary key (id),
        constraint fk_recovery_codes_user_id foreign key (user_id) references users (id)
    """,
    "passkeys": """
        user_id uuid not null,
        credential_id bytea not null,
        public_key bytea not null,
        sign_count bigint not null,
        name text not null,
        backed_up boolean not null default false,
        used_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_passkeys primary key (id),
        constraint fk_passkeys_user_id foreign key (user_id) references users (id),
        constraint uq_passkeys_credential_id unique (credential_id)
    """,
    "passkey_challenges": """
        user_id uuid,
        challenge bytea not null,
        ceremony text not null,
        expires_at timestamptz not null,
        created_at timestamptz not null default now(),
        constraint pk_passkey_challenges primary key (id),
        constraint ck_passkey_challenges_ceremony check (ceremony in ('register', 'sign_in'))
    """,
    "account_log": """
        at timestamptz not null default now(),
        user_id uuid,
        actor_kind text not null,
        actor_id text,
        action text not null,
        subject text not null,
        before jsonb,
        after jsonb,
        reason text,
        address text,
        request_id text,
        constraint pk_account_log primary key (id),
        constraint ck_account_log_actor_kind
            check (actor_kind in ('user', 'admin', 'api_key', 'system', 'operator'))
    """,
}
TENANT = {
    "memberships": """
        user_id uuid not null,
        role text not null,
        created_at timestamptz not null default now(),
        constraint pk_memberships primary key (tenant_id, user_id),
        constraint fk_memberships_tenant_id foreign key (tenant_id) references tenants (id),
        constraint fk_memberships_user_id foreign key (user_id) references users (id),
        constraint ck_memberships_role check (role in ('owner', 'manager', 'agent'))
    """,
    "invitations": """
        id uuid not null,
        email text not null,
        role text not null,
        token_hash bytea not null,
        invited_by uuid not null,
        expires_at timestamptz not null,
        accepted_at timestamptz,
        accepted_by uuid,
        revoked_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_invitations primary key (tenant_id, id),
        constraint fk_invitations_tenant_id foreign key (tenant_id) references tenants (id),
        constraint uq_invitations_token_hash unique (token_hash),
        constraint ck_invitations_role check (role in ('owner', 'manager', 'agent')),
        constraint ck_invitations_accepted
            check ((accepted_at is null) = (accepted_by is null))
    """,
    "api_keys": """
        id uuid not null,
        public_id text not null,
        name text not null,
        secret_hash bytea not null,
        scopes text[] not null,
        created_by uuid,
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_api_keys primary key (tenant_id, id),
        constraint fk_api_keys_tenant_id foreign key (tenant_id) references tenants (id),
        constraint uq_api_keys_public_id unique (public_id)
    """,
    "phone_codes": """
        id uuid not null,
        channel_id uuid not null,
        wa_id text,
        purpose text not null,
        phone_hash text not null,
        code_hash text not null,
        attempts smallint not null default 0,
        expires_at timestamptz not null,
        used_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_phone_codes primary key (tenant_id, id),
        constraint fk_phone_codes_tenant_id foreign key (tenant_id) references tenants (id),
        constraint ck_phone_codes_purpose check (purpose in ('owner_phone', 'identity'))
    """,
    "consents": """
        id uuid not null,
        user_id uuid not null,
        kind text not null,
        version text not null,
        at timestamptz not null default now(),
        address text,
        constraint pk_consents primary key (tenant_id, id),
        constraint fk_consents_tenant_id foreign key (tenant_id) references tenants (id),
        constraint ck_consents_kind check (kind in ('terms', 'ai_disclosure'))
    """,
}
INDEXES = (
    "create index ix_login_sessions_user_id on login_sessions (user_id)",
    "create index ix_account_tokens_user_id on account_tokens (user_id)",
    "create index ix_recovery_codes_user_id on recovery_codes (user_id)",
    "create index ix_passkeys_user_id on passkeys (user_id)",
    "create index ix_account_log_user_id_at on account_log (user_id, at)",
    "create index ix_memberships_user_id on memberships (user_id)",
    (
        "create unique index uq_invitations_open on invitations (tenant_id, email)"
        " where accepted_at is null and revoked_at is null"
    ),
    "create index ix_phone_codes_tenant_id_phone_hash on phone_codes (tenant_id, phone_hash)",
    (
        "create index ix_phone_codes_tenant_id_channel_id_wa_id"
        " on phone_codes (tenant_id, channel_id, wa_id)"
    ),
)
# No books: they go when a closed business is erased.
ERASED_WITH_THEIR_BUSINESS = ("subscriptions", "balance_marks", "billing_profiles")
# A person sees where they belong before a business is chosen.
USER_SCOPE = "nullif(current_setting('app.user_id', true), '')::uuid"
# The audit trail is append-only for every login. What a closed business leaves behind goes
# through this function, which refuses any other business.
AUDIT_PURGE = """
create function audit_purge(closed_tenant uuid) returns int
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gone int;
begin
    if not exists (select 1 from tenants where id = closed_tenant and status = 'closed') then
        raise exception 'only the audit trail of a closed business is purged';
    end if;
    delete from audit_log where tenant_id = closed_tenant;
    get diagnostics gone = row_count;
    return gone;
end $$
"""


def upgrade() -> None:
    """Create the tables, isolate each, and let the ledger's role purge closed businesses."""
    op.execute(USERS)
    op.execute(LOGIN_SESSIONS)
    for name, columns in PLATFORM.items():
        op.execute(f"create table {name} (id uuid not null, {columns})")
    for name, columns in TENANT.items():
        op.execute(f"create table {name} (tenant_id uuid not null, {columns})")
    for statement in INDEXES:
        op.execute(statement)
    op.execute("alter table tenants add column erase_due_at timestamptz")
    op.execute("alter table tenants add column closed_at timestamptz")
    op.execute("alter table contacts add column erased_at timestamptz")
    for name in ("users", "login_sessions"):
        share(name, app="")
    for name in PLATFORM:
        isolate_platform(
            name, system=APPEND if name == "account_log" else "select, insert, update, delete"
        )
    for name in TENANT:
        isolate(name)
    for table, column in (("memberships", "user_id"), ("invitations", "accepted_by")):
        op.execute(
            f"create policy {table}_person on {table} for select to parley_app"
            f" using ({column} = {USER_SCOPE})"
        )
    for name in ERASED_WITH_THEIR_BUSINESS:
        op.execute(f"grant delete on {name} to parley_system")
    _make_purge()


def _make_purge() -> None:
    for table, rights in (("audit_log", "select, delete"), ("tenants", "select")):
        op.execute(f"create policy {table}_ledger on {table} for all to parley_ledger using (true)")
        op.execute(f"grant {rights} on {table} to parley_ledger")
    op.execute("grant create on schema public to parley_ledger")
    op.execute("set local role parley_ledger")
    op.execute(AUDIT_PURGE)
    op.execute("revoke all on function audit_purge(uuid) from public")
    op.execute("grant execute on function audit_purge(uuid) to parley_system")
    op.execute("reset role")
    op.execute("revoke create on schema public from parley_ledger")


def downgrade() -> None:
    """Drop it all; accounts, sessions and keys are gone."""
    op.execute("set local role parley_ledger")
    op.execute("drop function audit_purge(uuid)")
    op.execute("reset role")
    for table, rights in (("audit_log", "select, delete"), ("tenants", "select")):
        op.execute(f"drop policy {table}_ledger on {table}")
        op.execute(f"revoke {rights} on {table} from parley_ledger")
    for name in ERASED_WITH_THEIR_BUSINESS:
        op.execute(f"revoke delete on {name} from parley_system")
    op.execute("alter table tenants drop column erase_due_at")
    op.execute("alter table tenants drop column closed_at")
    op.execute("alter table contacts drop column erased_at")
    for name in (*TENANT, *PLATFORM, "login_sessions", "users"):
        op.execute(f"drop table {name}")
