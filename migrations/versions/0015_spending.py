"""Spending: a cap per month beside the one per day, and credits that are bought by themselves.

Revision: 0015
Follows: 0014
"""

from collections.abc import Callable
from importlib.resources import files

from alembic import op

from migrations.isolation import isolate

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WALLET_COLUMNS = """
alter table wallets
    add column monthly_cap_ucr bigint,
    add column month_from timestamptz,
    add column month_until timestamptz,
    add column month_ucr bigint not null default 0,
    add constraint ck_wallets_monthly_cap check (monthly_cap_ucr >= 0),
    add constraint ck_wallets_month check (month_ucr >= 0)
"""
WALLET_COLUMNS_DOWN = """
alter table wallets
    drop column monthly_cap_ucr, drop column month_from, drop column month_until,
    drop column month_ucr
"""
AUTO_TOP_UPS = """
create table auto_top_ups (
    tenant_id uuid not null,
    package_code text not null,
    threshold_ucr bigint not null,
    monthly_max_minor bigint not null,
    enabled_at timestamptz,
    enabled_by text,
    paused_reason text,
    card_ref text,
    card_brand text,
    card_last4 text,
    payment_id uuid,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    constraint pk_auto_top_ups primary key (tenant_id),
    constraint fk_auto_top_ups_tenant_id foreign key (tenant_id) references tenants (id),
    constraint fk_auto_top_ups_package_code
        foreign key (package_code) references top_up_packages (code),
    constraint fk_auto_top_ups_tenant_id_payment_id
        foreign key (tenant_id, payment_id) references payments (tenant_id, id),
    constraint ck_auto_top_ups_amounts check (threshold_ucr > 0 and monthly_max_minor > 0),
    constraint ck_auto_top_ups_enabled check ((enabled_at is null) = (enabled_by is null)),
    constraint ck_auto_top_ups_paused_reason
        check (paused_reason in ('declined', 'refused', 'taken_back'))
)
"""
INDEXES = {
    # What the scheduler looks through, and what a worker has to charge.
    "ix_auto_top_ups_on": "auto_top_ups (tenant_id)"
    " where enabled_at is not null and paused_reason is null",
    "ix_auto_top_ups_due": "auto_top_ups (next_attempt_at) where payment_id is not null",
}
REPLACED = ("hold_items", "hold_many", "close_items")
BEGIN_MONTH = "credit_begin_month(wallets, timestamptz)"
SET_CAPS = "credit_set_caps(uuid, bigint, bigint, int, bigint)"


def upgrade() -> None:
    """Add the columns and the table, then put the newer functions in place."""
    op.execute(WALLET_COLUMNS)
    op.execute(AUTO_TOP_UPS)
    for name, terms in INDEXES.items():
        op.execute(f"create index {name} on {terms}")
    isolate("auto_top_ups")
    _as_ledger(_newer_functions)


def downgrade() -> None:
    """Put the older functions back; caps per month and rules of top-ups are gone."""
    _as_ledger(_older_functions)
    op.execute("drop table auto_top_ups")
    op.execute(WALLET_COLUMNS_DOWN)


def _as_ledger(work: Callable[[], None]) -> None:
    op.execute("grant create on schema public to parley_ledger")
    op.execute("set local role parley_ledger")
    work()
    op.execute("reset role")
    op.execute("revoke create on schema public from parley_ledger")


def _newer_functions() -> None:
    for name, function in (("begin_month", BEGIN_MONTH), ("set_caps", SET_CAPS)):
        _run_file(f"0015_{name}.sql")
        op.execute(f"revoke all on function {function} from public")
    op.execute(f"grant execute on function {SET_CAPS} to parley_app, parley_system")
    for name in REPLACED:
        _run_file(f"0015_{name}.sql")


def _older_functions() -> None:
    for name in REPLACED:
        _run_file(f"0003_{name}.sql")
    op.execute(f"drop function {SET_CAPS}")
    op.execute(f"drop function {BEGIN_MONTH}")


def _run_file(name: str) -> None:
    """Run a file of ``billing/ledger/sql``, over a function of the same name if there is one."""
    source = files("billing.ledger").joinpath("sql", name).read_text("utf-8")
    source = source.replace("\ncreate function ", "\ncreate or replace function ")
    op.get_bind().exec_driver_sql(source)
