"""The credit ledger: price list, wallets, lots, holds, journal, and the functions that write them.

Revision: 0002
Follows: 0001
"""

from importlib.resources import files

from alembic import op

from migrations.isolation import APPEND, READ, isolate, share

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CONSERVED = "available_ucr + held_ucr + spent_ucr + expired_ucr + clawed_ucr"
BUCKETS_NON_NEGATIVE = "least(available_ucr, held_ucr, spent_ucr, expired_ucr, clawed_ucr) >= 0"
BUCKETS = """
    available_ucr bigint not null{available},
    held_ucr bigint not null default 0,
    spent_ucr bigint not null default 0,
    expired_ucr bigint not null default 0,
    clawed_ucr bigint not null default 0,"""
WRITE = "select, insert, update"

PRICE_VERSIONS = """
create table price_versions (
    id integer not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    per_reply_ucr bigint not null,
    per_1k_tokens jsonb not null default '{}',
    per_audio_minute_ucr bigint not null default 0,
    per_page_ucr bigint not null default 0,
    note text,
    created_by text not null,
    created_at timestamptz not null default now(),
    constraint pk_price_versions primary key (id),
    constraint ck_price_versions_non_negative
        check (least(per_reply_ucr, per_audio_minute_ucr, per_page_ucr) >= 0),
    constraint ck_price_versions_validity
        check (valid_until is null or valid_until > valid_from),
    constraint ck_price_versions_per_1k_tokens check (
        jsonb_typeof(per_1k_tokens) = 'object'
        and (per_1k_tokens = '{}' or jsonb_exists(per_1k_tokens, '*'))),
    constraint ex_price_versions_one_at_a_time
        exclude using gist (tstzrange(valid_from, valid_until) with &&)
)
"""

WALLETS = f"""
create table wallets (
    tenant_id uuid not null,
    seq bigint not null default 0,
    issued_ucr bigint not null default 0,{BUCKETS.format(available=" default 0")}
    owed_ucr bigint not null default 0,
    head_hash bytea not null default '\\x',
    frozen_at timestamptz,
    frozen_reason text,
    created_at timestamptz not null default now(),
    constraint pk_wallets primary key (tenant_id),
    constraint fk_wallets_tenant_id foreign key (tenant_id) references tenants (id),
    constraint ck_wallets_conserved check (issued_ucr = {CONSERVED}),
    constraint ck_wallets_non_negative check ({BUCKETS_NON_NEGATIVE} and owed_ucr >= 0),
    constraint ck_wallets_owed_is_paid_first check (owed_ucr = 0 or available_ucr = 0)
) with (fillfactor = 50)
"""

CREDIT_LOTS = f"""
create table credit_lots (
    tenant_id uuid not null,
    id uuid not null,
    source text not null,
    source_ref text not null,
    priority integer not null,
    amount_ucr bigint not null,{BUCKETS.format(available="")}
    open boolean not null default true,
    effective_at timestamptz not null,
    expires_at timestamptz,
    payment_id uuid,
    unit_price_minor bigint,
    currency text,
    reason text,
    created_by text not null,
    approved_by text,
    request_id text,
    created_at timestamptz not null default now(),
    constraint pk_credit_lots primary key (tenant_id, id),
    constraint uq_credit_lots_tenant_id_source_source_ref unique (tenant_id, source, source_ref),
    constraint fk_credit_lots_tenant_id foreign key (tenant_id) references wallets (tenant_id),
    constraint ck_credit_lots_source
        check (source in ('plan', 'promo', 'purchase', 'correction')),
    constraint ck_credit_lots_amount_ucr check (amount_ucr > 0),
    constraint ck_credit_lots_conserved check (amount_ucr = {CONSERVED}),
    constraint ck_credit_lots_non_negative check ({BUCKETS_NON_NEGATIVE}),
    constraint ck_credit_lots_open check (open = (available_ucr + held_ucr > 0)),
    constraint ck_credit_lots_validity check (expires_at is null or expires_at > effective_at),
    constraint ck_credit_lots_unit_price check ((unit_price_minor is null) = (currency is null))
) with (fillfactor = 50)
"""

CREDIT_HOLDS = """
create table credit_holds (
    tenant_id uuid not null,
    id uuid not null,
    job_id uuid not null,
    amount_ucr bigint not null,
    captured_ucr bigint not null default 0,
    refunded_ucr bigint not null default 0,
    state text not null default 'pending',
    price_version_id integer not null,
    usage jsonb,
    cost_usd_micro bigint,
    created_by text not null,
    request_id text,
    closed_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_credit_holds primary key (tenant_id, id),
    constraint ck_credit_holds_state check (state in ('pending', 'captured', 'released')),
    constraint ck_credit_holds_captured check (captured_ucr between 0 and amount_ucr),
    constraint ck_credit_holds_refunded check (refunded_ucr between 0 and captured_ucr),
    constraint ck_credit_holds_charged_if_captured
        check (state = 'captured' or captured_ucr = 0),
    constraint ck_credit_holds_closed_at check ((state = 'pending') = (closed_at is null))
) with (fillfactor = 80)
"""

HOLD_PARTS = """
create table hold_parts (
    tenant_id uuid not null,
    hold_id uuid not null,
    position integer not null,
    lot_id uuid not null,
    amount_ucr bigint not null,
    captured_ucr bigint not null default 0,
    refunded_ucr bigint not null default 0,
    constraint pk_hold_parts primary key (tenant_id, hold_id, position),
    constraint fk_hold_parts_tenant_id_hold_id
        foreign key (tenant_id, hold_id) references credit_holds (tenant_id, id),
    constraint fk_hold_parts_tenant_id_lot_id
        foreign key (tenant_id, lot_id) references credit_lots (tenant_id, id),
    constraint ck_hold_parts_amount_ucr check (amount_ucr > 0),
    constraint ck_hold_parts_captured check (captured_ucr between 0 and amount_ucr),
    constraint ck_hold_parts_refunded check (refunded_ucr between 0 and captured_ucr)
) with (fillfactor = 80)
"""

CREDIT_OPS = """
create table credit_ops (
    tenant_id uuid not null,
    id uuid not null,
    kind text not null,
    hold_id uuid,
    lot_id uuid,
    amount_ucr bigint not null,
    applied_ucr bigint not null,
    reason text not null,
    created_by text not null,
    approved_by text,
    request_id text,
    created_at timestamptz not null default now(),
    constraint pk_credit_ops primary key (tenant_id, id),
    constraint fk_credit_ops_tenant_id foreign key (tenant_id) references wallets (tenant_id),
    constraint ck_credit_ops_kind check (kind in ('refund', 'claw')),
    constraint ck_credit_ops_amounts
        check (amount_ucr > 0 and applied_ucr between 0 and amount_ucr),
    constraint ck_credit_ops_hold_id check ((kind = 'refund') = (hold_id is not null))
)
"""

JOURNAL = """
create table journal (
    tenant_id uuid not null,
    seq bigint not null,
    kind text not null,
    src text not null,
    dst text not null,
    amount_ucr bigint not null,
    available_after_ucr bigint not null,
    key text not null,
    hold_id uuid,
    lot_id uuid,
    op_id uuid,
    facts jsonb not null,
    created_by text,
    request_id text,
    created_at timestamptz not null,
    hash bytea not null,
    constraint pk_journal primary key (tenant_id, seq),
    constraint uq_journal_tenant_id_key unique (tenant_id, key),
    constraint ck_journal_amounts
        check (seq > 0 and amount_ucr >= 0 and available_after_ucr >= 0),
    constraint ck_journal_movement check ((kind, src, dst) in (
        ('grant', 'issued', 'available'), ('hold', 'available', 'held'),
        ('capture', 'held', 'spent'), ('release', 'held', 'available'),
        ('refund', 'spent', 'available'), ('expire', 'available', 'expired'),
        ('claw', 'available', 'clawed'), ('settle_owed', 'available', 'clawed')))
)
"""

TABLES = (WALLETS, CREDIT_LOTS, CREDIT_HOLDS, HOLD_PARTS, CREDIT_OPS, JOURNAL)
INDEXES = (
    (
        "create index ix_credit_lots_burn_order on credit_lots"
        " (tenant_id, priority, expires_at, created_at, id) where open"
    ),
    (
        "create unique index uq_credit_holds_job on credit_holds (tenant_id, job_id)"
        " where state in ('pending', 'captured')"
    ),
    (
        "create index ix_credit_holds_pending on credit_holds (tenant_id, created_at)"
        " where state = 'pending'"
    ),
)
# One credit a reply and tokens free: always in force until an operator ends it.
FIRST_PRICES = """
insert into price_versions (id, valid_from, per_reply_ucr, note, created_by)
values (1, '2000-01-01 00:00+00', 1000000, 'One credit a reply', 'migration 0002')
"""

# Who may call what. Functions that are not named here are the ledger's own.
INTERNAL = {
    "lock_wallet": "uuid",
    "append": "wallets, text, bigint, text, uuid, uuid, uuid, jsonb, text, text",
    "save_wallet": "wallets",
    "claw_lots": "wallets, text, bigint, text, uuid, uuid, jsonb, text, text",
    "pay_owed": "wallets, text",
    "close_parts": "uuid, uuid[], bigint[]",
    "hold_verdict": "wallets, uuid, uuid, bigint, int, bigint",
    "hold_tenant": "uuid, jsonb",
    "close_tenant": "uuid, jsonb",
}
FOR_SERVERS = {
    "journal_hash": "bytea, journal",
    "lot_facts": "credit_lots",
    "open": "uuid",
    "hold_many": "jsonb",
    "close_many": "jsonb",
    "refund": "uuid, uuid, uuid, bigint, text, text, text, text",
}
# Making and taking credits is no tenant's business: not even a hijacked tenant session can.
FOR_SYSTEM = {
    "grant": "uuid, uuid, text, text, bigint, int, timestamptz, timestamptz, uuid, bigint, text,"
    " text, text, text, text",
    "claw": "uuid, uuid, bigint, text, uuid, text, text, text",
    "expire": "uuid",
    "freeze": "uuid, text",
}
FUNCTIONS = INTERNAL | FOR_SERVERS | FOR_SYSTEM


def upgrade() -> None:
    """Make the tables as the owner and the functions as the ledger's role."""
    op.execute(PRICE_VERSIONS)
    share("price_versions", system="select, insert, update (valid_until)")
    op.execute("grant select on price_versions to parley_ledger")
    op.execute(FIRST_PRICES)
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)
    for table in ("wallets", "credit_lots", "credit_holds", "hold_parts"):
        isolate(table, app=READ, system=READ, ledger=WRITE)
    for table in ("credit_ops", "journal"):
        isolate(table, app=READ, system=READ, ledger=APPEND)
    _make_functions()


def downgrade() -> None:
    """Drop it all; the balances are gone."""
    op.execute("set local role parley_ledger")
    for name, arguments in FUNCTIONS.items():
        op.execute(f"drop function credit_{name}({arguments})")
    op.execute("reset role")
    for table in ("journal", "credit_ops", "hold_parts", "credit_holds", "credit_lots", "wallets"):
        op.execute(f"drop table {table}")
    op.execute("drop table price_versions")


def _make_functions() -> None:
    """Create the functions of ``billing/ledger/sql``, whose files never change afterwards."""
    op.execute("grant create on schema public to parley_ledger")
    op.execute("set local role parley_ledger")
    for name, arguments in FUNCTIONS.items():
        source = files("billing.ledger").joinpath("sql", f"0002_{name}.sql").read_text("utf-8")
        op.get_bind().exec_driver_sql(source)
        op.execute(f"revoke all on function credit_{name}({arguments}) from public")
    for name, arguments in FOR_SERVERS.items():
        op.execute(f"grant execute on function credit_{name}({arguments}) to parley_app")
    for name, arguments in (FOR_SERVERS | FOR_SYSTEM).items():
        op.execute(f"grant execute on function credit_{name}({arguments}) to parley_system")
    op.execute("reset role")
    op.execute("revoke create on schema public from parley_ledger")
