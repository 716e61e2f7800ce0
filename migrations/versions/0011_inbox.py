"""The inbox for people: what changed, what was read, notes, labels, canned replies, search.

Revision: 0011
Follows: 0010
"""

from alembic import op

from migrations.isolation import isolate

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# One narrow row for each conversation that a transaction touched. Nothing is counted or locked:
# readers ask which transactions their last snapshot had not seen (app/core/live.py).
CHANGES = (
    """
    create table tenant_changes (
        tenant_id uuid not null,
        xid bigint not null default pg_current_xact_id()::text::bigint,
        conversation_id uuid not null,
        at timestamptz not null default now(),
        constraint pk_tenant_changes primary key (tenant_id, xid, conversation_id)
    )
    """,
    """
    create index ix_tenant_changes_at on tenant_changes using brin (at)
    """,
)
TABLES = {
    "conversation_reads": """
        tenant_id uuid not null,
        user_id uuid not null,
        conversation_id uuid not null,
        seen_at timestamptz not null,
        constraint pk_conversation_reads primary key (tenant_id, user_id, conversation_id),
        constraint fk_conversation_reads_tenant_id_conversation_id
            foreign key (tenant_id, conversation_id) references conversations (tenant_id, id)
    """,
    "conversation_notes": """
        tenant_id uuid not null,
        id uuid not null,
        conversation_id uuid not null,
        user_id uuid not null,
        body text not null,
        created_at timestamptz not null default now(),
        constraint pk_conversation_notes primary key (tenant_id, id),
        constraint fk_conversation_notes_tenant_id_conversation_id
            foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
        constraint ck_conversation_notes_body check (length(body) between 1 and 4000)
    """,
    "labels": """
        tenant_id uuid not null,
        id uuid not null,
        name text not null,
        created_at timestamptz not null default now(),
        constraint pk_labels primary key (tenant_id, id),
        constraint fk_labels_tenant_id foreign key (tenant_id) references tenants (id),
        constraint uq_labels_tenant_id_name unique (tenant_id, name),
        constraint ck_labels_name check (length(name) between 1 and 40)
    """,
    "conversation_labels": """
        tenant_id uuid not null,
        conversation_id uuid not null,
        label_id uuid not null,
        created_at timestamptz not null default now(),
        constraint pk_conversation_labels primary key (tenant_id, conversation_id, label_id),
        constraint fk_conversation_labels_tenant_id_conversation_id
            foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
        constraint fk_conversation_labels_tenant_id_label_id
            foreign key (tenant_id, label_id) references labels (tenant_id, id)
            on delete cascade
    """,
    "canned_replies": """
        tenant_id uuid not null,
        id uuid not null,
        shortcut text not null,
        body text not null,
        created_at timestamptz not null default now(),
        constraint pk_canned_replies primary key (tenant_id, id),
        constraint fk_canned_replies_tenant_id foreign key (tenant_id) references tenants (id),
        constraint uq_canned_replies_tenant_id_shortcut unique (tenant_id, shortcut),
        constraint ck_canned_replies_shortcut check (shortcut ~ '^[a-z0-9-]{1,30}$'),
        constraint ck_canned_replies_body check (length(body) between 1 and 4000)
    """,
    # The work list of messages that people write, and its lease; the send itself is in sends.
    "desk_sends": """
        tenant_id uuid not null,
        send_id uuid not null,
        conversation_id uuid not null,
        user_id uuid not null,
        form_key uuid not null,
        waiting_since timestamptz,
        open boolean not null default true,
        due_at timestamptz not null default now(),
        lease_owner text,
        lease_epoch integer not null default 0,
        created_at timestamptz not null default now(),
        constraint pk_desk_sends primary key (tenant_id, send_id),
        constraint fk_desk_sends_tenant_id_send_id
            foreign key (tenant_id, send_id) references sends (tenant_id, id),
        constraint uq_desk_sends_tenant_id_form_key unique (tenant_id, form_key)
    """,
}
INDEXES = (
    """
    create index ix_conversation_notes_tenant_id_conversation_id_created_at
        on conversation_notes (tenant_id, conversation_id, created_at)
    """,
    """
    create index ix_conversation_labels_tenant_id_label_id on conversation_labels (tenant_id, label_id)
    """,
    """
    create index ix_desk_sends_open on desk_sends (tenant_id, conversation_id, send_id) where open
    """,
    """
    create index ix_desk_sends_tenant_id_user_id_created_at
        on desk_sends (tenant_id, user_id, created_at)
    """,
    """
    create index ix_send_parts_tenant_id_message_id on send_parts (tenant_id, message_id)
    """,
    """
    create index ix_conversations_tenant_id_last_message_at_id
        on conversations (tenant_id, last_message_at, id)
    """,
)
# Words carry their tenant's mark, because a GIN index cannot lead with a uuid without an
# extension that not every PostgreSQL brings. Accents are folded: people search without them. The
# cost is what keeps the planner from computing the words of a million rows instead.
SEARCH = (
    """
    create function folded(words text) returns text
    language sql immutable parallel safe
    as $$
        select translate(lower(left(words, 4000)), 'áàâãäåéèêëíìîïóòôõöúùûüçñ',
                         'aaaaaaeeeeiiiiooooouuuucn')
    $$
    """,
    """
    create function search_words(tenant_id uuid, words text) returns tsvector
    language sql immutable parallel safe cost 10000
    as $$
        select array_to_tsvector(array(
            select right(tenant_id::text, 12) || word
            from unnest(tsvector_to_array(to_tsvector('simple', public.folded(words)))) as word))
    $$
    """,
    """
    create function search_query(tenant_id uuid, words text) returns tsquery
    language sql immutable parallel safe
    as $$
        select string_agg(quote_literal(right(tenant_id::text, 12) || word) || ':*', ' & ')::tsquery
        from unnest(tsvector_to_array(to_tsvector('simple', public.folded(words)))) as word
        where position('\\' in word) = 0
    $$
    """,
    """
    create index ix_messages_words on messages using gin (search_words(tenant_id, body))
        where body is not null
    """,
    """
    create function contact_words(tenant_id uuid, name text, push_name text) returns tsvector
    language sql immutable parallel safe cost 10000
    as $$
        select public.search_words(tenant_id, coalesce(name, '') || ' ' || coalesce(push_name, ''))
    $$
    """,
    """
    create index ix_contacts_words on contacts
        using gin (contact_words(tenant_id, name, push_name))
    """,
)
NOTE_CHANGES = (
    """
    create function note_changes() returns trigger language plpgsql as $$
    begin
        insert into tenant_changes (tenant_id, conversation_id)
        select distinct tenant_id, conversation_id from changed
        on conflict do nothing;
        return null;
    end $$
    """,
    """
    create function note_conversation_changes() returns trigger language plpgsql as $$
    begin
        insert into tenant_changes (tenant_id, conversation_id)
        select tenant_id, id from changed
        on conflict do nothing;
        return null;
    end $$
    """,
    """
    create function note_part_changes() returns trigger language plpgsql as $$
    begin
        insert into tenant_changes (tenant_id, conversation_id)
        select distinct s.tenant_id, s.conversation_id
        from changed n
        join before o on o.tenant_id = n.tenant_id and o.id = n.id and o.state <> n.state
        join sends s on s.tenant_id = n.tenant_id and s.id = n.send_id
        where n.state not in ('queued', 'sending')
        on conflict do nothing;
        return null;
    end $$
    """,
)
# (table, event, function): once a statement, whatever it touched.
TRIGGERS = (
    ("messages", "insert", "note_changes"),
    ("messages", "update", "note_changes"),
    ("messages", "delete", "note_changes"),
    ("conversations", "insert", "note_conversation_changes"),
    ("conversations", "update", "note_conversation_changes"),
    ("conversation_notes", "insert", "note_changes"),
    ("conversation_labels", "insert", "note_changes"),
    ("conversation_labels", "delete", "note_changes"),
)


def _run(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.execute(statement)


def upgrade() -> None:
    """Make the tables, the words' indexes, and the triggers that note what changed."""
    _run(CHANGES)
    isolate("tenant_changes")
    for name, columns in TABLES.items():
        op.execute(f"create table {name} ({columns})")
        isolate(name)
    _run(INDEXES + SEARCH + NOTE_CHANGES)
    for table, event, function in TRIGGERS:
        rows = "old" if event == "delete" else "new"
        op.execute(
            f"create trigger {table}_{event}_noted after {event} on {table}"
            f" referencing {rows} table as changed for each statement execute function {function}()"
        )
    op.execute(
        "create trigger send_parts_update_noted after update on send_parts"
        " referencing old table as before new table as changed"
        " for each statement execute function note_part_changes()"
    )


def downgrade() -> None:
    """Drop them again."""
    op.execute("drop trigger send_parts_update_noted on send_parts")
    for table, event, _ in TRIGGERS:
        op.execute(f"drop trigger {table}_{event}_noted on {table}")
    for function in ("note_changes", "note_conversation_changes", "note_part_changes"):
        op.execute(f"drop function {function}()")
    op.execute("drop index ix_contacts_words, ix_messages_words")
    op.execute("drop function contact_words(uuid, text, text), search_query(uuid, text)")
    op.execute("drop function search_words(uuid, text), folded(text)")
    op.execute(
        "drop index ix_send_parts_tenant_id_message_id,"
        " ix_conversations_tenant_id_last_message_at_id"
    )
    for name in reversed(["tenant_changes", *TABLES]):
        op.execute(f"drop table {name}")
