"""Knowledge: sources, documents, passages with their vectors, unanswered questions.

Revision: 0006
Follows: 0005
"""

from alembic import op

from migrations.isolation import isolate

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = {
    "knowledge_sources": """
        id uuid not null,
        kind text not null,
        title text not null,
        url text,
        depth_max smallint not null default 0,
        pages_max int not null default 1,
        sync_every_h int,
        next_sync_at timestamptz,
        synced_at timestamptz,
        round int not null default 1,
        polite_until timestamptz not null default now(),
        created_by uuid,
        created_at timestamptz not null default now(),
        constraint pk_knowledge_sources primary key (tenant_id, id),
        constraint fk_knowledge_sources_tenant_id foreign key (tenant_id) references tenants (id),
        constraint ck_knowledge_sources_kind check (kind in ('file', 'page', 'site')),
        constraint ck_knowledge_sources_url check ((kind = 'file') = (url is null))
    """,
    "knowledge_documents": """
        id uuid not null,
        source_id uuid,
        kind text not null,
        title text not null,
        url text,
        state text not null default 'queued',
        failure text,
        depth smallint not null default 0,
        round int not null default 1,
        version int not null default 1,
        attempts smallint not null default 0,
        due_at timestamptz default now(),
        language text,
        checksum text,
        etag text,
        last_modified text,
        bytes bigint not null default 0,
        passages int not null default 0,
        read_at timestamptz,
        created_at timestamptz not null default now(),
        constraint pk_knowledge_documents primary key (tenant_id, id),
        constraint fk_knowledge_documents_tenant_id foreign key (tenant_id) references tenants (id),
        constraint fk_knowledge_documents_source_id foreign key (tenant_id, source_id)
            references knowledge_sources (tenant_id, id) on delete cascade,
        constraint ck_knowledge_documents_kind check (kind in ('qa', 'file', 'page')),
        constraint ck_knowledge_documents_source check ((kind = 'qa') = (source_id is null)),
        constraint ck_knowledge_documents_state
            check (state in ('queued', 'reading', 'ready', 'failed')),
        constraint uq_knowledge_documents_url unique (tenant_id, source_id, url)
    """,
    "knowledge_uploads": """
        document_id uuid not null,
        filename text not null,
        body bytea not null,
        created_at timestamptz not null default now(),
        constraint pk_knowledge_uploads primary key (tenant_id, document_id),
        constraint fk_knowledge_uploads_document_id foreign key (tenant_id, document_id)
            references knowledge_documents (tenant_id, id) on delete cascade
    """,
    "knowledge_chunks": """
        id uuid not null,
        document_id uuid not null,
        place int not null,
        title text not null,
        heading text not null default '',
        body text not null,
        tokens int not null,
        search tsvector not null,
        created_at timestamptz not null default now(),
        constraint pk_knowledge_chunks primary key (tenant_id, id),
        constraint fk_knowledge_chunks_document_id foreign key (tenant_id, document_id)
            references knowledge_documents (tenant_id, id) on delete cascade,
        constraint uq_knowledge_chunks_place unique (tenant_id, document_id, place)
    """,
    "knowledge_vectors": """
        model text not null,
        chunk_id uuid not null,
        dims smallint not null,
        in_graph boolean not null default false,
        embedding vector not null,
        constraint pk_knowledge_vectors primary key (tenant_id, model, chunk_id),
        constraint fk_knowledge_vectors_chunk_id foreign key (tenant_id, chunk_id)
            references knowledge_chunks (tenant_id, id) on delete cascade
    """,
    "knowledge_generations": """
        model text not null,
        dims smallint not null,
        graph boolean not null default false,
        languages text[] not null default '{}',
        passages int not null default 0,
        ready_at timestamptz not null default now(),
        constraint pk_knowledge_generations primary key (tenant_id),
        constraint fk_knowledge_generations_tenant_id
            foreign key (tenant_id) references tenants (id)
    """,
    "unanswered_questions": """
        id uuid not null,
        question text not null,
        normal text not null,
        language text,
        reason text not null,
        conversation_id uuid,
        times int not null default 1,
        state text not null default 'open',
        answer_id uuid,
        last_asked_at timestamptz not null default now(),
        created_at timestamptz not null default now(),
        constraint pk_unanswered_questions primary key (tenant_id, id),
        constraint fk_unanswered_questions_tenant_id
            foreign key (tenant_id) references tenants (id),
        constraint fk_unanswered_questions_conversation_id foreign key (tenant_id, conversation_id)
            references conversations (tenant_id, id) on delete set null (conversation_id),
        constraint uq_unanswered_questions_normal unique (tenant_id, normal),
        constraint ck_unanswered_questions_state check (state in ('open', 'answered', 'dismissed')),
        constraint ck_unanswered_questions_reason
            check (reason in ('missing_knowledge', 'weak_match', 'test'))
    """,
}
INDEXES = (
    (
        "create index ix_knowledge_sources_due on knowledge_sources (next_sync_at)"
        " where next_sync_at is not null"
    ),
    (
        "create index ix_knowledge_documents_due on knowledge_documents (due_at)"
        " where due_at is not null"
    ),
    (
        "create index ix_knowledge_vectors_tenant_id_chunk_id on knowledge_vectors"
        " (tenant_id, chunk_id)"
    ),
    (
        "create index ix_unanswered_questions_tenant_id_state_last_asked_at on unanswered_questions"
        " (tenant_id, state, last_asked_at)"
    ),
    (
        "create index ix_unanswered_questions_tenant_id_conversation_id on unanswered_questions"
        " (tenant_id, conversation_id)"
    ),
)
# A search looks into each of a tenant's rows: unpacking every one would take longer than looking.
INLINE = "alter table {table} set (toast_tuple_target = 8160)"
# An index over vectors needs their width; the usual ones have theirs. Only tenants beyond the
# exact scan are in the graph: for all others it would cost each insert a millisecond for nothing.
WIDTHS = {384: "vector", 768: "vector", 1024: "vector", 1536: "vector", 3072: "halfvec"}
GRAPH = (
    "create index ix_knowledge_vectors_graph_{dims} on knowledge_vectors"
    " using hnsw ((embedding::{kind}({dims})) {kind}_cosine_ops) where dims = {dims} and in_graph"
)
ANSWERS = (
    "alter table question_answers add column alternatives text[] not null default '{}'",
    "alter table question_answers add column origin text not null default 'owner'",
    "alter table question_answers add column used_count bigint not null default 0",
    "alter table question_answers add column used_at timestamptz",
    "alter table question_answers add column updated_at timestamptz not null default now()",
    (
        "alter table question_answers add constraint ck_question_answers_origin"
        " check (origin in ('owner', 'unanswered', 'import', 'suggestion'))"
    ),
)
# Whoever writes a pair, its document is due: nothing that people approved is left unread.
FOLLOW = """
create function knowledge_follow_answer() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from knowledge_documents where tenant_id = old.tenant_id and id = old.id;
        return old;
    end if;
    insert into knowledge_documents (tenant_id, id, kind, title)
    values (new.tenant_id, new.id, 'qa', new.question)
    on conflict (tenant_id, id) do update
        set title = excluded.title, state = 'queued', failure = null, due_at = now(),
            attempts = 0, version = knowledge_documents.version + 1;
    return new;
end $$
"""
TRIGGERS = (
    (
        "create trigger question_answers_made after insert or delete on question_answers"
        " for each row execute function knowledge_follow_answer()"
    ),
    (
        "create trigger question_answers_changed after update of question, answer, alternatives, status"
        " on question_answers for each row execute function knowledge_follow_answer()"
    ),
)


def upgrade() -> None:
    """Make the tables and let every answer that there is be read."""
    for name, columns in TABLES.items():
        op.execute(f"create table {name} (tenant_id uuid not null, {columns})")
        isolate(name)
    for statement in (*INDEXES, *ANSWERS, FOLLOW, *TRIGGERS):
        op.execute(statement)
    for table in ("knowledge_chunks", "knowledge_vectors"):
        op.execute(INLINE.format(table=table))
    for dims, kind in WIDTHS.items():
        op.execute(GRAPH.format(dims=dims, kind=kind))
    _adopt_answers()


def _adopt_answers() -> None:
    tables = ("question_answers", "knowledge_documents")
    for table in tables:
        op.execute(f"alter table {table} no force row level security")
    op.execute(
        "insert into knowledge_documents (tenant_id, id, kind, title)"
        " select tenant_id, id, 'qa', question from question_answers"
    )
    for table in tables:
        op.execute(f"alter table {table} force row level security")


def downgrade() -> None:
    """Drop what was read; the pairs stay."""
    for name in ("made", "changed"):
        op.execute(f"drop trigger question_answers_{name} on question_answers")
    op.execute("drop function knowledge_follow_answer()")
    op.execute("alter table question_answers drop constraint ck_question_answers_origin")
    for column in ("alternatives", "origin", "used_count", "used_at", "updated_at"):
        op.execute(f"alter table question_answers drop column {column}")
    for name in reversed(TABLES):
        op.execute(f"drop table {name}")
