"""Numbers: how a number's session fares, campaigns and whom they brought, figures by the day.

Revision: 0010
Follows: 0009
"""

from alembic import op

from migrations.isolation import isolate

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Defaults are constants, so that the running version can go on inserting.
CHANNEL_COLUMNS = (
    "managed boolean not null default false",
    "wanted text not null default 'on'",
    "own_name text",
    "status_ms bigint",
    "seen_at timestamptz",
    "connected_at timestamptz",
    "down_since timestamptz",
    "problem text",
    "problem_at timestamptz",
    "check_due_at timestamptz not null default now()",
    "repairs smallint not null default 0",
    "tested_at timestamptz",
)
CHECKS = {
    "ck_channels_wanted": "wanted in ('on', 'off', 'removed')",
    "ck_channels_problem": (
        "problem in ('unreachable', 'unauthorized', 'missing', 'taken', 'refused', 'not_waha')"
    ),
}
CAMPAIGNS = """
create table channel_campaigns (
    tenant_id uuid not null,
    id uuid not null,
    channel_id uuid not null,
    code text not null,
    label text not null,
    greeting text not null,
    contacts integer not null default 0,
    scans integer not null default 0,
    last_scan_at timestamptz,
    archived_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_channel_campaigns primary key (tenant_id, id),
    constraint uq_channel_campaigns_tenant_id_code unique (tenant_id, code),
    constraint fk_channel_campaigns_tenant_id_channel_id
        foreign key (tenant_id, channel_id) references channels (tenant_id, id)
)
"""
DAYS = """
create table tenant_days (
    tenant_id uuid not null,
    day date not null,
    received integer not null,
    answered integer not null,
    handed_over integer not null,
    silent jsonb not null,
    reply_counts integer[] not null,
    spent_ucr bigint not null,
    counted_at timestamptz not null default now(),
    constraint pk_tenant_days primary key (tenant_id, day),
    constraint fk_tenant_days_tenant_id foreign key (tenant_id) references tenants (id)
)
"""
KINDS_BEFORE = "kind in ('terms', 'ai_disclosure')"
KINDS = "kind in ('terms', 'ai_disclosure', 'whatsapp_number')"


def upgrade() -> None:
    """Add to the channels, then make the new tables."""
    op.execute(f"alter table channels {', '.join(f'add column {c}' for c in CHANNEL_COLUMNS)}")
    for name, condition in CHECKS.items():
        op.execute(f"alter table channels add constraint {name} check ({condition})")
    op.execute("create index ix_channels_check_due_at on channels (check_due_at)")
    op.execute(CAMPAIGNS)
    op.execute(
        "create index ix_channel_campaigns_tenant_id_channel_id"
        " on channel_campaigns (tenant_id, channel_id)"
    )
    isolate("channel_campaigns")
    op.execute("alter table contacts add column campaign_id uuid")
    op.execute(
        "alter table contacts add constraint fk_contacts_tenant_id_campaign_id"
        " foreign key (tenant_id, campaign_id) references channel_campaigns (tenant_id, id)"
    )
    op.execute(DAYS)
    isolate("tenant_days", app="select")
    _set_consent_kinds(KINDS)


def downgrade() -> None:
    """Take it all back; consents to connect a number go with it."""
    op.execute("create policy consents_owner on consents for all to current_user using (true)")
    op.execute("delete from consents where kind = 'whatsapp_number'")
    op.execute("drop policy consents_owner on consents")
    _set_consent_kinds(KINDS_BEFORE)
    op.execute("drop table tenant_days")
    op.execute("alter table contacts drop constraint fk_contacts_tenant_id_campaign_id")
    op.execute("alter table contacts drop column campaign_id")
    op.execute("drop table channel_campaigns")
    op.execute("drop index ix_channels_check_due_at")
    for name in CHECKS:
        op.execute(f"alter table channels drop constraint {name}")
    names = [column.partition(" ")[0] for column in CHANNEL_COLUMNS]
    op.execute(f"alter table channels {', '.join(f'drop column {n}' for n in names)}")


def _set_consent_kinds(condition: str) -> None:
    op.execute("alter table consents drop constraint ck_consents_kind")
    op.execute(f"alter table consents add constraint ck_consents_kind check ({condition})")
