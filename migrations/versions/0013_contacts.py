"""Contacts as people keep them, notices a person wants, exports of a business, verified phones.

Revision: 0013
Follows: 0012
"""

from alembic import op

from migrations.isolation import ALL, isolate

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TENANT = {
    "user_notifications": """
        user_id uuid not null,
        kind text not null,
        email boolean not null,
        created_at timestamptz not null default now(),
        constraint pk_user_notifications primary key (tenant_id, user_id, kind),
        constraint fk_user_notifications_tenant_id_user_id
            foreign key (tenant_id, user_id) references memberships (tenant_id, user_id)
            on delete cascade,
        constraint ck_user_notifications_kind
            check (kind in ('handover', 'number_down', 'credits'))
    """,
    "contact_tags": """
        contact_id uuid not null,
        tag text not null,
        created_at timestamptz not null default now(),
        constraint pk_contact_tags primary key (tenant_id, contact_id, tag),
        constraint fk_contact_tags_tenant_id_contact_id
            foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
        constraint ck_contact_tags_tag check (length(tag) between 1 and 40)
    """,
    "contact_imports": """
        id uuid not null,
        user_id uuid not null,
        file_name text not null,
        rows jsonb not null,
        tag text,
        found integer not null,
        added integer,
        changed integer,
        done_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_contact_imports primary key (tenant_id, id),
        constraint fk_contact_imports_tenant_id foreign key (tenant_id) references tenants (id)
    """,
    "business_exports": """
        id uuid not null,
        user_id uuid not null,
        state text not null default 'queued',
        table_name text,
        after jsonb,
        tables_done integer not null default 0,
        tables_total integer not null default 0,
        rows_done bigint not null default 0,
        size_bytes bigint not null default 0,
        chunks integer not null default 0,
        finished_at timestamptz,
        expires_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_business_exports primary key (tenant_id, id),
        constraint fk_business_exports_tenant_id foreign key (tenant_id) references tenants (id),
        constraint ck_business_exports_state
            check (state in ('queued', 'running', 'ready', 'expired'))
    """,
    "business_export_chunks": """
        export_id uuid not null,
        chunk_no integer not null,
        content bytea not null,
        constraint pk_business_export_chunks primary key (tenant_id, export_id, chunk_no),
        constraint fk_business_export_chunks_tenant_id_export_id
            foreign key (tenant_id, export_id) references business_exports (tenant_id, id)
    """,
}
INDEXES = {
    "ix_contact_tags_tenant_id_tag_contact_id": "contact_tags (tenant_id, tag, contact_id)",
    "ix_contacts_blocked": "contacts (tenant_id, id) where blocked_at is not null",
    "ix_contacts_opted_out": "contacts (tenant_id, id) where opted_out_at is not null",
    "ix_conversations_tenant_id_contact_id_last_message_at": (
        "conversations (tenant_id, contact_id, last_message_at)"
    ),
    # What retention looks for: without these it would read every row of every business.
    "ix_messages_tenant_id_sent_at": "messages (tenant_id, sent_at)",
    "ix_turns_results": "turns (tenant_id, finished_at) where result is not null",
    "ix_conversations_summaries": (
        "conversations (tenant_id, last_message_at) where handover_summary is not null"
    ),
}
ONE_EXPORT_AT_A_TIME = (
    "create unique index uq_business_exports_open on business_exports (tenant_id)"
    " where state in ('queued', 'running')"
)
COLUMNS = (
    ("contacts", "notes", "text"),
    ("contacts", "imported_at", "timestamptz"),
    ("users", "phone", "text"),
    ("users", "phone_verified_at", "timestamptz"),
)


def upgrade() -> None:
    """Create the tables, isolate each, and index what pages and retention look for."""
    for table, column, kind in COLUMNS:
        op.execute(f"alter table {table} add column {column} {kind}")
    for name, columns in TENANT.items():
        op.execute(f"create table {name} (tenant_id uuid not null, {columns})")
    op.execute(ONE_EXPORT_AT_A_TIME)
    for name, columns in INDEXES.items():
        op.execute(f"create index {name} on {columns}")
    for name in TENANT:
        isolate(
            name,
            app="select, delete" if name == "business_export_chunks" else ALL,
        )


def downgrade() -> None:
    """Drop it all; tags, notes, prepared exports and verified phones are gone."""
    for name in INDEXES:
        op.execute(f"drop index {name}")
    for name in reversed(TENANT):
        op.execute(f"drop table {name}")
    for table, column, _kind in reversed(COLUMNS):
        op.execute(f"alter table {table} drop column {column}")
