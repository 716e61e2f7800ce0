"""Payments: the mail outbox, plans in time, purchases, Stripe's events, requests, notices.

Revision: 0004
Follows: 0003
"""

from alembic import op

from migrations.isolation import READ, isolate, isolate_platform

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TENANT_SCOPE = "nullif(current_setting('app.tenant_id', true), '')::uuid"
WRITE = "select, insert, update"

MAILS = """create table mails (
    id uuid not null,
    tenant_id uuid,
    key text not null,
    recipient bytea,
    content bytea,
    state text not null default 'queued',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    provider_id text,
    failure text,
    request_id text,
    ended_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_mails primary key (id),
    constraint uq_mails_tenant_id_key unique nulls not distinct (tenant_id, key),
    constraint ck_mails_state check (state in ('queued', 'sent', 'failed')),
    constraint ck_mails_recipient_is_wiped check ((state = 'queued') = (recipient is not null)),
    constraint ck_mails_content_is_wiped check ((state = 'queued') = (content is not null)),
    constraint fk_mails_tenant_id foreign key (tenant_id) references tenants (id)
)
"""

BILLING_PROFILES = """create table billing_profiles (
    tenant_id uuid not null,
    customer_ref text,
    legal_name text,
    address text,
    country text,
    tax_id text,
    created_at timestamptz not null default now(),
    constraint pk_billing_profiles primary key (tenant_id),
    constraint fk_billing_profiles_tenant_id foreign key (tenant_id) references tenants (id),
    constraint uq_billing_profiles_customer_ref unique (customer_ref)
)
"""

SUBSCRIPTIONS = """create table subscriptions (
    tenant_id uuid not null,
    plan_code text not null,
    next_plan_code text,
    anchor_at timestamptz not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    provider_ref text,
    provider_status text,
    cancels_at_period_end boolean not null default false,
    created_at timestamptz not null default now(),
    constraint pk_subscriptions primary key (tenant_id),
    constraint ck_subscriptions_period check (period_end > period_start),
    constraint fk_subscriptions_tenant_id foreign key (tenant_id) references tenants (id),
    constraint fk_subscriptions_plan_code foreign key (plan_code) references plans (code),
    constraint fk_subscriptions_next_plan_code
        foreign key (next_plan_code)
        references plans (code),
    constraint uq_subscriptions_provider_ref unique (provider_ref)
)
"""

TOP_UP_PACKAGES = """create table top_up_packages (
    code text not null,
    name text not null,
    credits_ucr bigint not null,
    price_minor bigint not null,
    currency text not null,
    valid_days integer,
    offered boolean not null default true,
    created_at timestamptz not null default now(),
    constraint pk_top_up_packages primary key (code),
    constraint ck_top_up_packages_amounts check (credits_ucr > 0 and price_minor > 0),
    constraint ck_top_up_packages_currency check (currency ~ '^[A-Z]{3}$'),
    constraint ck_top_up_packages_valid_days check (valid_days is null or valid_days > 0)
)
"""

PAYMENTS = """create table payments (
    tenant_id uuid not null,
    id uuid not null,
    kind text not null,
    state text not null default 'pending',
    plan_code text,
    package_code text,
    credits_ucr bigint not null default 0,
    valid_days integer,
    price_minor bigint not null,
    amount_minor bigint not null default 0,
    tax_minor bigint not null default 0,
    currency text not null,
    session_ref text,
    intent_ref text,
    invoice_ref text,
    invoice_number text,
    invoice_url text,
    receipt_url text,
    lot_id uuid,
    period_start timestamptz,
    period_end timestamptz,
    clawed_ucr bigint not null default 0,
    billed_name text,
    billed_address text,
    billed_country text,
    billed_tax_id text,
    paid_at timestamptz,
    created_by text not null,
    request_id text,
    created_at timestamptz not null default now(),
    constraint pk_payments primary key (tenant_id, id),
    constraint fk_payments_tenant_id foreign key (tenant_id) references tenants (id),
    constraint uq_payments_tenant_id_session_ref unique (tenant_id, session_ref),
    constraint uq_payments_tenant_id_invoice_ref unique (tenant_id, invoice_ref),
    constraint ck_payments_kind check (kind in ('subscription', 'top_up')),
    constraint ck_payments_state check (state in ('pending', 'paid', 'failed', 'expired')),
    constraint ck_payments_currency check (currency ~ '^[A-Z]{3}$'),
    constraint ck_payments_amounts
        check (least(price_minor, amount_minor, tax_minor, credits_ucr) >= 0
            and clawed_ucr between 0 and credits_ucr),
    constraint ck_payments_paid_at check ((state = 'paid') = (paid_at is not null))
)
"""

PAYMENT_REVERSALS = """create table payment_reversals (
    tenant_id uuid not null,
    id uuid not null,
    payment_id uuid not null,
    kind text not null,
    provider_ref text not null,
    amount_minor bigint not null,
    clawed_ucr bigint not null,
    state text not null,
    closed_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_payment_reversals primary key (tenant_id, id),
    constraint fk_payment_reversals_tenant_id_payment_id
        foreign key (tenant_id, payment_id)
        references payments (tenant_id, id),
    constraint uq_payment_reversals_tenant_id_kind_provider_ref
        unique (tenant_id, kind, provider_ref),
    constraint ck_payment_reversals_kind check (kind in ('refund', 'dispute')),
    constraint ck_payment_reversals_state check (state in ('applied', 'open', 'won', 'lost')),
    constraint ck_payment_reversals_amounts check (amount_minor >= 0 and clawed_ucr >= 0)
)
"""

STRIPE_EVENTS = """create table stripe_events (
    id text not null,
    kind text not null,
    object_ref text not null,
    state text not null default 'pending',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    received_at timestamptz not null default now(),
    ended_at timestamptz,
    outcome text,
    request_id text,
    constraint pk_stripe_events primary key (id),
    constraint ck_stripe_events_state check (state in ('pending', 'done', 'ignored', 'failed'))
)
"""

CREDIT_REQUESTS = """create table credit_requests (
    tenant_id uuid not null,
    id uuid not null,
    kind text not null,
    source text,
    amount_ucr bigint not null,
    hold_id uuid,
    expires_at timestamptz,
    reason text not null,
    needs_approval boolean not null,
    state text not null default 'requested',
    requested_by text not null,
    decided_by text,
    decided_at timestamptz,
    decision_reason text,
    applied_at timestamptz,
    request_id text,
    created_at timestamptz not null default now(),
    constraint pk_credit_requests primary key (tenant_id, id),
    constraint fk_credit_requests_tenant_id foreign key (tenant_id) references tenants (id),
    constraint ck_credit_requests_kind check (kind in ('grant', 'claw', 'refund')),
    constraint ck_credit_requests_state
        check (state in ('requested', 'approved', 'rejected', 'applied')),
    constraint ck_credit_requests_amount_ucr check (amount_ucr > 0),
    constraint ck_credit_requests_source
        check ((kind = 'grant') = (source is not null)
            and (source is null or source in ('promo', 'correction'))),
    constraint ck_credit_requests_hold_id check ((kind = 'refund') = (hold_id is not null)),
    constraint ck_credit_requests_reason check (length(btrim(reason)) > 0),
    constraint ck_credit_requests_second_person
        check (decided_by is null or decided_by <> requested_by),
    constraint ck_credit_requests_approved_first
        check (state not in ('approved', 'applied') or not needs_approval or decided_by is not null),
    constraint ck_credit_requests_rejected_by
        check (state <> 'rejected' or decided_by is not null),
    constraint ck_credit_requests_applied_at
        check ((state = 'applied') = (applied_at is not null))
)
"""

BALANCE_MARKS = """create table balance_marks (
    tenant_id uuid not null,
    percent integer not null,
    base_ucr bigint not null,
    notices integer not null default 0,
    created_at timestamptz not null default now(),
    constraint pk_balance_marks primary key (tenant_id),
    constraint ck_balance_marks_percent check (percent in (100, 50, 20, 5, 0)),
    constraint fk_balance_marks_tenant_id foreign key (tenant_id) references tenants (id)
)
"""

INDEXES = (
    "create index ix_mails_queued on mails (next_attempt_at) where state = 'queued'",
    "create index ix_payments_intent_ref on payments (intent_ref) where intent_ref is not null",
    "create index ix_payments_tenant_id_created_at on payments (tenant_id, created_at)",
    "create index ix_payment_reversals_tenant_id_payment_id on payment_reversals (tenant_id, payment_id)",
    "create index ix_stripe_events_pending on stripe_events (next_attempt_at) where state = 'pending'",
    "create index ix_credit_requests_open on credit_requests (tenant_id, created_at) where state = 'requested'",
)
TABLES = (
    MAILS,
    BILLING_PROFILES,
    SUBSCRIPTIONS,
    TOP_UP_PACKAGES,
    PAYMENTS,
    PAYMENT_REVERSALS,
    STRIPE_EVENTS,
    CREDIT_REQUESTS,
    BALANCE_MARKS,
)


def upgrade() -> None:
    """Create what this revision adds."""
    op.execute("alter table tenants add column billing_email text")
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)
    _isolate_mails()
    isolate("billing_profiles", app=WRITE, system=WRITE)
    isolate("subscriptions", app=READ, system=WRITE)
    isolate_platform("top_up_packages")
    isolate("payments", app=READ, system=WRITE)
    isolate("payment_reversals", app=READ, system=WRITE)
    isolate_platform("stripe_events", system=WRITE)
    isolate("credit_requests", app=READ, system=WRITE)
    isolate("balance_marks", app=READ, system=WRITE)


def downgrade() -> None:
    """Take it back."""
    for table in (
        "balance_marks",
        "credit_requests",
        "stripe_events",
        "payment_reversals",
        "payments",
        "top_up_packages",
        "subscriptions",
        "billing_profiles",
        "mails",
    ):
        op.execute(f"drop table {table}")
    op.execute("alter table tenants drop column billing_email")


def _isolate_mails() -> None:
    """The system sends; a tenant's login may add mails of its tenant and read none."""
    op.execute("alter table mails enable row level security")
    op.execute("alter table mails force row level security")
    op.execute(
        "create policy mails_tenant on mails for insert to parley_app"
        f" with check (tenant_id = {TENANT_SCOPE})"
    )
    op.execute(
        "create policy mails_system on mails for all to parley_system"
        " using (true) with check (true)"
    )
    op.execute("grant insert on mails to parley_app")
    op.execute("grant select, insert, update, delete on mails to parley_system")
