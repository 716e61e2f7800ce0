"""Versions of the assistant, tools of tenants, memory of customers, and traces of answers.

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.isolation import isolate

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "assistant_versions",
    "tenant_tools",
    "contact_facts",
    "contact_verifications",
    "conversation_summaries",
    "turn_traces",
)
# What a business taught before there were versions becomes its first one. Forced row level
# security shows the owner no rows; for the length of this statement it has policies of its own.
_FIRST_VERSIONS = """
insert into assistant_versions (tenant_id, id, number, state, content, published_at)
select tenant_id, gen_random_uuid(), 1, 'live',
       jsonb_build_object('persona', persona, 'greeting', greeting, 'disclosure', disclosure,
                          'facts', facts), created_at
from assistant_profiles
"""
_COPIED = (("assistant_profiles", "select"), ("assistant_versions", "all"))


def upgrade() -> None:
    """Make the tables; turn profiles into first versions."""
    _versions()
    _tools()
    _memory()
    _traces()
    for table in _TABLES:
        isolate(table)
    _copy_profiles()


def downgrade() -> None:
    """Drop them; the profiles of before are still there."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _versions() -> None:
    op.create_table(
        "assistant_versions",
        *_tenant_row(),
        sa.Column("number", sa.Integer()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("author_id", sa.Uuid()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        *_stamps(),
        _tenant_key("assistant_versions"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_assistant_versions"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_assistant_versions_tenant_id_number"),
        sa.CheckConstraint(
            "state in ('draft', 'live', 'past')", name="ck_assistant_versions_state"
        ),
        sa.CheckConstraint(
            "(state = 'draft') = (number is null)", name="ck_assistant_versions_number"
        ),
    )
    for state in ("draft", "live"):
        op.create_index(
            f"uq_assistant_versions_{state}",
            "assistant_versions",
            ["tenant_id"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )


def _tools() -> None:
    op.create_table(
        "tenant_tools",
        *_tenant_row(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("headers", sa.LargeBinary()),
        sa.Column("timeout_s", sa.Double(), server_default="8", nullable=False),
        sa.Column("response_bytes_max", sa.Integer(), server_default="8192", nullable=False),
        sa.Column("needs_verified", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True)),
        *_stamps(),
        _tenant_key("tenant_tools"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_tenant_tools"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_tenant_tools_tenant_id_name"),
        sa.CheckConstraint("name ~ '^[a-z][a-z0-9_]{2,39}$'", name="ck_tenant_tools_name"),
        sa.CheckConstraint(
            "method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')", name="ck_tenant_tools_method"
        ),
        sa.CheckConstraint("timeout_s between 1 and 15", name="ck_tenant_tools_timeout_s"),
        sa.CheckConstraint(
            "response_bytes_max between 256 and 16384", name="ck_tenant_tools_response_bytes_max"
        ),
        sa.CheckConstraint("not enabled or tried_at is not null", name="ck_tenant_tools_tried"),
    )


def _memory() -> None:
    op.create_table(
        "contact_facts",
        *_tenant_row(),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Uuid()),
        *_stamps(),
        _contact_key("contact_facts"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_contact_facts"),
        sa.UniqueConstraint(
            "tenant_id", "contact_id", "key", name="uq_contact_facts_tenant_id_contact_id_key"
        ),
        sa.CheckConstraint(
            "length(key) between 1 and 60 and length(value) between 1 and 300",
            name="ck_contact_facts_size",
        ),
    )
    op.create_table(
        "contact_verifications",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column(
            "verified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        _contact_key("contact_verifications"),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id", name="pk_contact_verifications"),
    )
    op.create_table(
        "conversation_summaries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True)),
        sa.Column("wanted_until_at", sa.DateTime(timezone=True)),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        _conversation_key("conversation_summaries"),
        sa.PrimaryKeyConstraint("tenant_id", "conversation_id", name="pk_conversation_summaries"),
    )
    op.create_index(
        "ix_conversation_summaries_wanted",
        "conversation_summaries",
        ["due_at"],
        postgresql_where=sa.text("wanted_until_at is not null"),
    )


def _traces() -> None:
    op.create_table(
        "turn_traces",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("trace", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "turn_id"],
            ["turns.tenant_id", "turns.id"],
            name="fk_turn_traces_tenant_id_turn_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "turn_id", name="pk_turn_traces"),
    )
    op.create_index(
        "ix_turn_traces_tenant_id_created_at", "turn_traces", ["tenant_id", "created_at"]
    )


def _copy_profiles() -> None:
    for table, right in _COPIED:
        check = " with check (true)" if right == "all" else ""
        op.execute(
            f"create policy migration_0007 on {table} for {right} to current_user"
            f" using (true){check}"
        )
    op.execute(_FIRST_VERSIONS)
    for table, _ in _COPIED:
        op.execute(f"drop policy migration_0007 on {table}")


def _tenant_row() -> list[sa.Column[object]]:
    return [
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
    ]


def _stamps() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
        for name in ("created_at", "updated_at")
    ]


def _tenant_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=f"fk_{table}_tenant_id")


def _contact_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "contact_id"],
        ["contacts.tenant_id", "contacts.id"],
        name=f"fk_{table}_tenant_id_contact_id",
    )


def _conversation_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "conversation_id"],
        ["conversations.tenant_id", "conversations.id"],
        name=f"fk_{table}_tenant_id_conversation_id",
    )
