"""Files of messages: what was fetched, read and stored, and which files wait to be deleted.

Revision: 0009
Follows: 0008
"""

from alembic import op

from migrations.isolation import isolate

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MESSAGE_MEDIA = """
create table message_media (
    tenant_id uuid not null,
    id uuid not null,
    message_id uuid,
    channel_id uuid,
    kind text not null,
    state text not null default 'wanted',
    to_read boolean not null default false,
    url text,
    name text,
    claimed_type text,
    content_type text,
    size_bytes integer,
    sha256 bytea,
    duration_ms integer,
    reading text,
    audio_ms integer not null default 0,
    pages integer not null default 0,
    model text,
    input_tokens integer not null default 0,
    output_tokens integer not null default 0,
    reason text,
    attempts smallint not null default 0,
    due_at timestamptz not null default now(),
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    constraint pk_message_media primary key (tenant_id, id),
    constraint fk_message_media_tenant_id foreign key (tenant_id) references tenants (id),
    constraint fk_message_media_tenant_id_message_id
        foreign key (tenant_id, message_id) references messages (tenant_id, id) on delete cascade,
    constraint ck_message_media_kind
        check (kind in ('image', 'video', 'audio', 'document', 'sticker')),
    constraint ck_message_media_state
        check (state in ('wanted', 'stored', 'ready', 'failed', 'too_big', 'refused'))
)
"""
MEDIA_GARBAGE = """
create table media_garbage (
    tenant_id uuid not null,
    id uuid not null,
    created_at timestamptz not null default now(),
    constraint pk_media_garbage primary key (tenant_id, id)
)
"""
INDEXES = (
    (
        "create unique index uq_message_media_message on message_media (tenant_id, message_id)"
        " where message_id is not null"
    ),
    (
        "create index ix_message_media_due on message_media (due_at)"
        " where state in ('wanted', 'stored')"
    ),
    "create index ix_message_media_loose on message_media (created_at) where message_id is null",
    "create index ix_media_garbage_created_at on media_garbage (created_at)",
)
# Whatever deletes a row (an erasure, the retention, a business that closes) leaves the file's
# name behind, in the same transaction: the file itself goes when that is durable. Before the
# deletion, not after: behind a cascade an AFTER trigger would run as the owner, who sees no rows.
FORGET = """
create function media_forget() returns trigger language plpgsql as $$
begin
    insert into media_garbage (tenant_id, id) values (old.tenant_id, old.id)
    on conflict do nothing;
    return old;
end $$
"""
TRIGGER = """
create trigger message_media_forget before delete on message_media
for each row execute function media_forget()
"""


def upgrade() -> None:
    """Create the tables, the trigger, and the moment until which a turn waits for its files."""
    for statement in (MESSAGE_MEDIA, MEDIA_GARBAGE, *INDEXES, FORGET, TRIGGER):
        op.execute(statement)
    isolate("message_media")
    isolate("media_garbage")
    op.execute("alter table turns add column media_until timestamptz")


def downgrade() -> None:
    """Drop what ``upgrade`` made; the files stay where they are."""
    op.execute("alter table turns drop column media_until")
    op.execute("drop table message_media")
    op.execute("drop table media_garbage")
    op.execute("drop function media_forget()")
