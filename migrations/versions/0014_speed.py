"""What pages read: charges added up by the day, holds by time, numbers from their end.

Revision: 0014
Follows: 0013
"""

from alembic import op

from migrations.isolation import READ, isolate

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What was charged on the day that a hold was closed on, as it was charged: refunds come later and
# are taken off where it is read. By UTC's day and the business's own. See billing/charge_days.py.
TABLES = {
    "charge_days": """
        tenant_id uuid not null,
        day date not null,
        local_day date not null,
        time_zone text not null,
        charges bigint not null,
        charged_ucr bigint not null,
        cost_usd_micro bigint not null,
        cost_unknown bigint not null,
        first_charge_at timestamptz,
        last_charge_at timestamptz,
        constraint pk_charge_days primary key (tenant_id, day, local_day, time_zone),
        constraint fk_charge_days_tenant_id foreign key (tenant_id) references wallets (tenant_id),
        constraint ck_charge_days_non_negative
            check (least(charges, charged_ucr, cost_usd_micro, cost_unknown) >= 0)
    """,
    "charge_day_revenue": """
        tenant_id uuid not null,
        day date not null,
        currency text not null,
        revenue_minor numeric not null,
        constraint pk_charge_day_revenue primary key (tenant_id, day, currency),
        constraint fk_charge_day_revenue_tenant_id
            foreign key (tenant_id) references wallets (tenant_id),
        constraint ck_charge_day_revenue_revenue_minor check (revenue_minor >= 0)
    """,
}
INDEXES = {
    "ix_charge_days_day": "charge_days (day)",
    "ix_charge_days_local_day": "charge_days (tenant_id, local_day)",
    # Holds are closed in the order of time: a summary of the table's blocks is index enough.
    "ix_credit_holds_closed_at": "credit_holds using brin (closed_at)"
    " with (pages_per_range = 16, autosummarize = on)",
    # Numbers are looked up by their last digits too.
    "ix_contact_addresses_digits": "contact_addresses"
    " (tenant_id, reverse(split_part(address, '@', 1))) where kind = 'phone'",
}


def upgrade() -> None:
    """Make the tables and the indexes; the scheduler fills the tables."""
    for name, columns in TABLES.items():
        op.execute(f"create table {name} ({columns})")
        isolate(name, app=READ)
    for name, terms in INDEXES.items():
        op.execute(f"create index {name} on {terms}")


def downgrade() -> None:
    """Drop them again, and forget up to when was added up."""
    for name in INDEXES:
        op.execute(f"drop index {name}")
    for name in reversed(TABLES):
        op.execute(f"drop table {name}")
    op.execute("delete from platform_settings where name = 'charges_added_up_to'")
