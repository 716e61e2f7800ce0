"""When the assistant speaks, and who owns a conversation: hours, manners, snoozes, assignees.

Revision: 0008
Follows: 0007
"""

from alembic import op

from migrations.isolation import isolate

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CONDUCT = """
create table tenant_conduct (
    tenant_id uuid not null,
    mode text not null default 'always',
    week jsonb not null default '{}',
    special_days jsonb not null default '[]',
    closed_text text,
    bubbles boolean not null default false,
    loop_replies_per_hour integer not null default 20,
    loop_repeats smallint not null default 3,
    letters_with_summary boolean not null default false,
    letters_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_tenant_conduct primary key (tenant_id),
    constraint fk_tenant_conduct_tenant_id foreign key (tenant_id) references tenants (id),
    constraint ck_tenant_conduct_mode
        check (mode in ('always', 'only_closed', 'only_open', 'off')),
    constraint ck_tenant_conduct_loop
        check (loop_replies_per_hour between 1 and 1000000 and loop_repeats between 0 and 100)
)
"""
COLUMNS = (
    ("conversations", "assignee_id", "uuid"),
    ("conversations", "snoozed_until", "timestamptz"),
    ("conversations", "handed_over_at", "timestamptz"),
    ("conversations", "notify_at", "timestamptz"),
    ("conversations", "notified_at", "timestamptz"),
    ("conversations", "closed_told_until", "timestamptz"),
    ("messages", "notice", "text"),
)
NOTICE = """
alter table messages add constraint ck_messages_notice
    check (notice in ('opted_out', 'opted_in', 'closed')) not valid
"""
INDEXES = {
    "ix_conversations_timed": (
        "conversations (tenant_id, human_until, snoozed_until, paused_until)"
        " where state <> 'resolved' and (human_until is not null or snoozed_until is not null"
        " or paused_until is not null)"
    ),
    "ix_conversations_notify": ("conversations (tenant_id, notify_at) where notify_at is not null"),
    "ix_conversations_assignee": (
        "conversations (tenant_id, assignee_id, state, last_message_at)"
        " where assignee_id is not null"
    ),
}


def upgrade() -> None:
    """Make the table and columns; existing businesses behave as before."""
    op.execute(CONDUCT)
    isolate("tenant_conduct")
    for table, column, kind in COLUMNS:
        op.execute(f"alter table {table} add column {column} {kind}")
    op.execute(NOTICE)
    op.execute("alter table messages validate constraint ck_messages_notice")
    for name, columns in INDEXES.items():
        op.execute(f"create index {name} on {columns}")


def downgrade() -> None:
    """Drop them; hours, snoozes and assignees are gone, what was snoozed is open."""
    for name in reversed(INDEXES):
        op.execute(f"drop index {name}")
    op.execute("alter table messages drop constraint ck_messages_notice")
    for table, column, _ in reversed(COLUMNS):
        op.execute(f"alter table {table} drop column {column}")
    op.execute("drop table tenant_conduct")
