"""Caps, nightly proofs and provider prices; holding and settling in fewer steps.

Revision: 0003
Follows: 0002
"""

from collections.abc import Callable
from importlib.resources import files

from alembic import op

from migrations.isolation import READ, isolate

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WALLET_COLUMNS = """
alter table wallets
    add column daily_cap_ucr bigint,
    add column contact_replies_per_day integer not null default 40,
    add column auto_stop_ucr_per_hour bigint,
    add column stopped_at timestamptz,
    add column stopped_reason text,
    add column day_from timestamptz,
    add column day_until timestamptz,
    add column day_ucr bigint not null default 0,
    add constraint ck_wallets_caps check (
        daily_cap_ucr >= 0 and auto_stop_ucr_per_hour > 0
        and contact_replies_per_day between 1 and 1000000),
    add constraint ck_wallets_stopped check ((stopped_at is null) = (stopped_reason is null)),
    add constraint ck_wallets_day check (day_ucr >= 0)
"""
WALLET_COLUMNS_DOWN = """
alter table wallets
    drop column daily_cap_ucr, drop column contact_replies_per_day,
    drop column auto_stop_ucr_per_hour, drop column stopped_at, drop column stopped_reason,
    drop column day_from, drop column day_until, drop column day_ucr
"""
HOLD_COLUMNS = "alter table credit_holds add column contact_id uuid"
HOLDS_OF_CONTACT = """
create index ix_credit_holds_contact on credit_holds (tenant_id, contact_id, created_at)
    where contact_id is not null
"""
CREDIT_MINUTES = """
create table credit_minutes (
    tenant_id uuid not null,
    slot smallint not null,
    minute timestamptz not null,
    amount_ucr bigint not null,
    constraint pk_credit_minutes primary key (tenant_id, slot),
    constraint fk_credit_minutes_tenant_id foreign key (tenant_id) references wallets (tenant_id),
    constraint ck_credit_minutes_slot check (slot between 0 and 59),
    constraint ck_credit_minutes_amount_ucr check (amount_ucr >= 0)
) with (fillfactor = 50)
"""
LEDGER_PROOFS = """
create table ledger_proofs (
    tenant_id uuid not null,
    night date not null,
    ran_at timestamptz not null default now(),
    outcome text not null,
    figures jsonb not null,
    findings jsonb not null default '[]',
    constraint pk_ledger_proofs primary key (tenant_id, night),
    constraint fk_ledger_proofs_tenant_id foreign key (tenant_id) references tenants (id),
    constraint ck_ledger_proofs_outcome check (outcome in ('proved', 'broken')),
    constraint ck_ledger_proofs_findings
        check ((outcome = 'proved') = (findings = '[]'))
)
"""
BROKEN_PROOFS = """
create index ix_ledger_proofs_broken on ledger_proofs (night) where outcome = 'broken'
"""
PROVIDER_PRICES = """
alter table price_versions
    add column provider_prices jsonb not null default '{}',
    add constraint ck_price_versions_provider_prices
        check (jsonb_typeof(provider_prices) = 'object')
"""

WRITE = "select, insert, update"
# Replaced functions by the same name; the older text comes back on the way down.
REPLACED = ("hold_many", "close_many")
SUPERSEDED = {
    "hold_tenant": "uuid, jsonb",
    "hold_verdict": "wallets, uuid, uuid, bigint, int, bigint",
    "close_tenant": "uuid, jsonb",
    "close_parts": "uuid, uuid[], bigint[]",
}
INTERNAL = {
    "begin_day": "wallets, timestamptz",
    "contact_may": "wallets, uuid",
    "burn": "uuid, timestamptz, bigint",
    "burnt": "uuid, timestamptz",
    "prior_hold": "uuid, uuid, uuid, bigint, int",
    "prior_close": "uuid, uuid, bigint, boolean",
    "hold_items": "uuid, jsonb",
    "close_items": "uuid, jsonb",
}
FOR_SERVERS = {
    "set_caps": "uuid, bigint, int, bigint",
    "stop": "uuid, text",
}


def upgrade() -> None:
    """Add the columns and tables, then put the newer functions in place."""
    for statement in (WALLET_COLUMNS, HOLD_COLUMNS, HOLDS_OF_CONTACT, PROVIDER_PRICES):
        op.execute(statement)
    op.execute(CREDIT_MINUTES)
    isolate("credit_minutes", app=READ, system=READ, ledger=WRITE)
    op.execute(LEDGER_PROOFS)
    op.execute(BROKEN_PROOFS)
    isolate("ledger_proofs", app=READ, system="select, insert")
    op.execute("grant delete on price_versions to parley_system")
    # The ledger counts a tenant's day in the tenant's time zone, and reads nothing else of it.
    op.execute(
        "create policy tenants_days_ledger on tenants for select to parley_ledger using (true)"
    )
    op.execute("grant select (id, time_zone) on tenants to parley_ledger")
    _as_ledger(_newer_functions)


def downgrade() -> None:
    """Put the older functions back and drop the rest; proofs and caps are gone."""
    _as_ledger(_older_functions)
    op.execute("revoke select (id, time_zone) on tenants from parley_ledger")
    op.execute("drop policy tenants_days_ledger on tenants")
    op.execute("revoke delete on price_versions from parley_system")
    op.execute("drop table ledger_proofs")
    op.execute("drop table credit_minutes")
    op.execute("alter table price_versions drop column provider_prices")
    op.execute("drop index ix_credit_holds_contact")
    op.execute("alter table credit_holds drop column contact_id")
    op.execute(WALLET_COLUMNS_DOWN)


def _as_ledger(work: Callable[[], None]) -> None:
    op.execute("grant create on schema public to parley_ledger")
    op.execute("set local role parley_ledger")
    work()
    op.execute("reset role")
    op.execute("revoke create on schema public from parley_ledger")


def _newer_functions() -> None:
    for name, arguments in (INTERNAL | FOR_SERVERS).items():
        _run_file(f"0003_{name}.sql")
        op.execute(f"revoke all on function credit_{name}({arguments}) from public")
    for name, arguments in FOR_SERVERS.items():
        op.execute(
            f"grant execute on function credit_{name}({arguments}) to parley_app, parley_system"
        )
    for name in REPLACED:
        _run_file(f"0003_{name}.sql")
    for name, arguments in SUPERSEDED.items():
        op.execute(f"drop function credit_{name}({arguments})")


def _older_functions() -> None:
    for name, arguments in SUPERSEDED.items():
        _run_file(f"0002_{name}.sql")
        op.execute(f"revoke all on function credit_{name}({arguments}) from public")
    for name in REPLACED:
        _run_file(f"0002_{name}.sql")
    for name, arguments in (INTERNAL | FOR_SERVERS).items():
        op.execute(f"drop function credit_{name}({arguments})")


def _run_file(name: str) -> None:
    """Run a file of ``billing/ledger/sql``, over a function of the same name if there is one."""
    source = files("billing.ledger").joinpath("sql", name).read_text("utf-8")
    source = source.replace("\ncreate function ", "\ncreate or replace function ")
    op.get_bind().exec_driver_sql(source)
