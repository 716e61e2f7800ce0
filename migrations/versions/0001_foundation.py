"""The foundation: plans, tenants, numbers, the message path, the assistant's profile.

Revision: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.isolation import APPEND, TENANT_SCOPE, isolate, isolate_platform, share

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INBOX_DAYS_AHEAD = 14
QUOTED_SCOPE = TENANT_SCOPE.replace("'", "''")

ISOLATE_PARTITION = f"""
create function inbox_isolate_partition(part text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    execute format('alter table public.%I enable row level security', part);
    execute format('alter table public.%I force row level security', part);
    execute format(
        'create policy %I on public.%I for all to parley_app using (tenant_id = {QUOTED_SCOPE})',
        part || '_tenant', part);
    execute format(
        'create policy %I on public.%I for all to parley_system using (true) with check (true)',
        part || '_system', part);
end $$
"""

# Partitions are the owner's, and the scheduler is not the owner: it asks this function, which
# can do nothing else. The default partition keeps ingest alive if nobody asks for two weeks.
ENSURE_DAYS = """
create function inbox_ensure_days(days_ahead int) returns int
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    made int := 0;
    day date;
    part text;
begin
    for day in select generate_series(current_date - 1, current_date + days_ahead, '1 day')::date
    loop
        part := 'inbox_p' || to_char(day, 'YYYYMMDD');
        if to_regclass('public.' || part) is null then
            begin
                execute format(
                    'create table public.%I partition of public.inbox for values from (%L) to (%L)',
                    part, day, day + 1);
                perform inbox_isolate_partition(part);
                made := made + 1;
            exception when check_violation then
                raise notice 'rows of % stand in the default partition', day;
            end;
        end if;
    end loop;
    return made;
end $$
"""

DROP_DAYS = """
create function inbox_drop_days(keep_days int) returns int
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    dropped int := 0;
    part text;
begin
    if keep_days < 1 then
        raise exception 'keep_days must be at least 1';
    end if;
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.inbox'::regclass and c.relname ~ '^inbox_p[0-9]+$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - keep_days
    loop
        execute format('drop table public.%I', part);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$
"""

TENANT_TABLES = (
    "channels",
    "assistant_profiles",
    "question_answers",
    "contacts",
    "contact_addresses",
    "conversations",
    "messages",
    "turns",
    "sends",
    "send_parts",
    "send_attempts",
    "tenant_queues",
    "inbox",
    "inbox_keys",
)


def upgrade() -> None:
    """Create the tables, then force isolation on each."""
    _create_tables()
    op.execute("alter table turns set (fillfactor = 70)")
    op.execute("alter table inbox_keys set (fillfactor = 80)")
    op.execute("alter table tenant_queues set (fillfactor = 50)")
    op.execute("grant usage on schema public to parley_app, parley_system, parley_ledger")
    op.execute("grant select on alembic_version to parley_app, parley_system")
    share("plans")
    share("platform_settings")
    isolate("tenants", column="id", app="select, update")
    for table in TENANT_TABLES:
        isolate(table)
    isolate("audit_log", app=APPEND, system=APPEND)
    isolate_platform("process_heartbeats")
    isolate_platform("leases")
    _create_partitions()


def _create_partitions() -> None:
    op.execute("create table inbox_default partition of inbox default")
    for function in (ISOLATE_PARTITION, ENSURE_DAYS, DROP_DAYS):
        op.execute(function)
    op.execute("select inbox_isolate_partition('inbox_default')")
    op.execute(f"select inbox_ensure_days({INBOX_DAYS_AHEAD})")
    op.execute("revoke all on function inbox_isolate_partition(text) from public")
    for function in ("inbox_ensure_days(int)", "inbox_drop_days(int)"):
        op.execute(f"revoke all on function {function} from public")
        op.execute(f"grant execute on function {function} to parley_system")


def downgrade() -> None:
    """Drop all of it."""
    op.execute("drop function inbox_drop_days(int)")
    op.execute("drop function inbox_ensure_days(int)")
    op.execute("drop function inbox_isolate_partition(text)")
    op.execute("revoke usage on schema public from parley_app, parley_system, parley_ledger")
    op.execute("revoke select on alembic_version from parley_app, parley_system")
    op.drop_table("send_attempts")
    op.drop_table("send_parts")
    op.drop_table("turns")
    op.drop_table("sends")
    op.drop_table("messages")
    op.drop_table("conversations")
    op.drop_table("contact_addresses")
    op.drop_table("tenant_queues")
    op.drop_table("question_answers")
    op.drop_table("contacts")
    op.drop_table("channels")
    op.drop_table("audit_log")
    op.drop_table("assistant_profiles")
    op.drop_table("tenants")
    op.drop_table("process_heartbeats")
    op.drop_table("platform_settings")
    op.drop_table("plans")
    op.drop_table("leases")
    op.drop_table("inbox_keys")
    op.drop_table("inbox")


def _create_tables() -> None:
    op.create_table(
        "inbox",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_day", sa.Date(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", "received_day", name=op.f("pk_inbox")),
        postgresql_partition_by="RANGE (received_day)",
    )
    op.create_table(
        "inbox_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("event_day", sa.Date(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("pending", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "channel_id", "key", name=op.f("pk_inbox_keys")),
    )
    op.create_index(op.f("ix_inbox_keys_event_day"), "inbox_keys", ["event_day"], unique=False)
    op.create_index(
        "ix_inbox_keys_pending",
        "inbox_keys",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("pending"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "plans",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), server_default="1", nullable=False),
        sa.Column("turn_per_min", sa.Integer(), server_default="60", nullable=False),
        sa.Column("turn_burst", sa.Integer(), server_default="20", nullable=False),
        sa.Column("max_inflight", sa.Integer(), server_default="8", nullable=False),
        sa.Column("send_per_min", sa.Integer(), server_default="20", nullable=False),
        sa.Column("send_burst", sa.Integer(), server_default="5", nullable=False),
        sa.Column("monthly_credits_ucr", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price_minor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), server_default="EUR", nullable=False),
        sa.Column("offered", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("max_inflight > 0", name=op.f("ck_plans_max_inflight")),
        sa.CheckConstraint("monthly_credits_ucr >= 0", name=op.f("ck_plans_monthly_credits_ucr")),
        sa.CheckConstraint("send_per_min > 0 and send_burst > 0", name=op.f("ck_plans_send_limit")),
        sa.CheckConstraint("turn_per_min > 0 and turn_burst > 0", name=op.f("ck_plans_turn_limit")),
        sa.CheckConstraint("weight between 1 and 100", name=op.f("ck_plans_weight")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_plans")),
    )
    op.create_table(
        "platform_settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_platform_settings")),
    )
    op.create_table(
        "process_heartbeats",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "figures",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_process_heartbeats")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan_code", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("idle_s", sa.Double(), nullable=True),
        sa.Column("cap_s", sa.Double(), nullable=True),
        sa.Column("batch_messages_max", sa.Integer(), server_default="20", nullable=False),
        sa.Column("answer_max_age_s", sa.Double(), nullable=True),
        sa.Column("handover_text", sa.Text(), nullable=True),
        sa.Column("retention_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status in ('active', 'suspended', 'closing', 'closed')", name=op.f("ck_tenants_status")
        ),
        sa.CheckConstraint(
            "batch_messages_max between 1 and 100", name=op.f("ck_tenants_batch_messages_max")
        ),
        sa.CheckConstraint(
            "cap_s is null or cap_s between 0 and 300", name=op.f("ck_tenants_cap_s")
        ),
        sa.CheckConstraint(
            "idle_s is null or idle_s between 0 and 60", name=op.f("ck_tenants_idle_s")
        ),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_tenants_plan_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "assistant_profiles",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("persona", sa.Text(), server_default="", nullable=False),
        sa.Column("disclosure", sa.Text(), server_default="", nullable=False),
        sa.Column("greeting", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_assistant_profiles_tenant_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_assistant_profiles")),
    )
    op.create_table(
        "audit_log",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "actor_kind in ('user', 'admin', 'api_key', 'system', 'operator')",
            name=op.f("ck_audit_log_actor_kind"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_audit_log_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        op.f("ix_audit_log_tenant_id_at"), "audit_log", ["tenant_id", "at"], unique=False
    )
    op.create_table(
        "channels",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=True),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("own_address", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("engine_version", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "reconcile_from",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "reconcile_due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("hook_per_min", sa.Integer(), nullable=True),
        sa.Column("hook_burst", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind in ('waha', 'twilio')", name=op.f("ck_channels_kind")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_channels_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_channels")),
        sa.UniqueConstraint("key", name=op.f("uq_channels_key")),
    )
    op.create_index(
        "uq_channels_shared_session",
        "channels",
        ["session"],
        unique=True,
        postgresql_where=sa.text("api_url is null and kind = 'waha'"),
    )
    op.create_table(
        "contacts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("push_name", sa.Text(), nullable=True),
        sa.Column("opted_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_contacts_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "question_answers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="approved", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status in ('approved', 'pending')", name=op.f("ck_question_answers_status")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_question_answers_tenant_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_question_answers")),
    )
    op.create_index(
        op.f("ix_question_answers_tenant_id_status"),
        "question_answers",
        ["tenant_id", "status"],
        unique=False,
    )
    op.create_table(
        "tenant_queues",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column(
            "served_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_queues_tenant_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_queues")),
    )
    op.create_table(
        "contact_addresses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind in ('phone', 'lid')", name=op.f("ck_contact_addresses_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
            name=op.f("fk_contact_addresses_tenant_id_contact_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contact_addresses")),
        sa.UniqueConstraint(
            "tenant_id", "address", name=op.f("uq_contact_addresses_tenant_id_address")
        ),
    )
    op.create_index(
        op.f("ix_contact_addresses_tenant_id_contact_id"),
        "contact_addresses",
        ["tenant_id", "contact_id"],
        unique=False,
    )
    op.create_index(
        "ix_contact_addresses_unchecked",
        "contact_addresses",
        ["tenant_id", "created_at"],
        unique=False,
        postgresql_where=sa.text("kind = 'lid' and checked_at is null"),
    )
    op.create_table(
        "conversations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("human_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handover_reason", sa.Text(), nullable=True),
        sa.Column("handover_summary", sa.Text(), nullable=True),
        sa.Column("typing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "last_message_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "handover_reason in ('customer_request', 'missing_knowledge', 'unsupported_request', 'policy_restriction', 'tool_failure', 'pending_clarification', 'usage_limit', 'human_takeover', 'loop_brake', 'no_credit')",
            name=op.f("ck_conversations_handover_reason"),
        ),
        sa.CheckConstraint(
            "state in ('pending', 'open', 'snoozed', 'resolved')",
            name=op.f("ck_conversations_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "channel_id"],
            ["channels.tenant_id", "channels.id"],
            name=op.f("fk_conversations_tenant_id_channel_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
            name=op.f("fk_conversations_tenant_id_contact_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_conversations")),
    )
    op.create_index(
        op.f("ix_conversations_tenant_id_state_last_message_at"),
        "conversations",
        ["tenant_id", "state", "last_message_at"],
        unique=False,
    )
    op.create_index(
        "uq_conversations_open",
        "conversations",
        ["tenant_id", "channel_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_table(
        "messages",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("wa_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("media", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("turn_id", sa.Uuid(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("disposition_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "author in ('customer', 'assistant', 'owner', 'agent')", name=op.f("ck_messages_author")
        ),
        sa.CheckConstraint("direction in ('in', 'out')", name=op.f("ck_messages_direction")),
        sa.CheckConstraint(
            "disposition in ('answered', 'merged', 'human_owned', 'paused', 'out_of_hours', 'no_credit', 'rate_limited', 'daily_cap', 'opted_out', 'blocked', 'suspended', 'too_old', 'ignored_kind', 'empty', 'loop_brake', 'handed_off', 'failed_handed_off', 'send_unknown')",
            name=op.f("ck_messages_disposition"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_messages_tenant_id_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "tenant_id",
            "channel_id",
            "wa_id",
            "direction",
            name=op.f("uq_messages_tenant_id_channel_id_wa_id_direction"),
        ),
    )
    op.create_index(
        "ix_messages_open",
        "messages",
        ["tenant_id", "conversation_id"],
        unique=False,
        postgresql_where=sa.text("direction = 'in' and disposition is null"),
    )
    op.create_index(
        op.f("ix_messages_tenant_id_conversation_id_sent_at_id"),
        "messages",
        ["tenant_id", "conversation_id", "sent_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_messages_tenant_id_turn_id"), "messages", ["tenant_id", "turn_id"], unique=False
    )
    op.create_table(
        "sends",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("price_ucr", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "author in ('customer', 'assistant', 'owner', 'agent')", name=op.f("ck_sends_author")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_sends_tenant_id_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sends")),
        sa.UniqueConstraint("tenant_id", "turn_id", name=op.f("uq_sends_tenant_id_turn_id")),
    )
    op.create_table(
        "turns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("supersedes", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("usage", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_version", sa.Text(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending', 'done', 'superseded', 'cancelled', 'failed')",
            name=op.f("ck_turns_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_turns_tenant_id_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_turns")),
    )
    op.create_index(
        "ix_turns_leased",
        "turns",
        ["tenant_id", "lease_until"],
        unique=False,
        postgresql_where=sa.text("state in ('claimed', 'held', 'generated', 'sending')"),
    )
    op.create_index(
        "ix_turns_waiting",
        "turns",
        ["tenant_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("state in ('waiting', 'due')"),
    )
    op.create_index(
        "uq_turns_live",
        "turns",
        ["tenant_id", "conversation_id"],
        unique=True,
        postgresql_where=sa.text(
            "state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')"
        ),
    )
    op.create_table(
        "send_parts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("part_no", sa.SmallInteger(), nullable=False),
        sa.Column("client_message_id", sa.Text(), nullable=False),
        sa.Column("idempotent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wa_id", sa.Text(), nullable=True),
        sa.Column("ack", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("checks", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state in ('queued', 'sending', 'accepted', 'sent', 'delivered', 'read', 'failed', 'unknown')",
            name=op.f("ck_send_parts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "send_id"],
            ["sends.tenant_id", "sends.id"],
            name=op.f("fk_send_parts_tenant_id_send_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_send_parts")),
        sa.UniqueConstraint("client_message_id", name=op.f("uq_send_parts_client_message_id")),
        sa.UniqueConstraint(
            "tenant_id", "send_id", "part_no", name=op.f("uq_send_parts_tenant_id_send_id_part_no")
        ),
    )
    op.create_index(
        "ix_send_parts_open",
        "send_parts",
        ["tenant_id", "started_at"],
        unique=False,
        postgresql_where=sa.text("state in ('queued', 'sending', 'unknown')"),
    )
    op.create_index(
        op.f("ix_send_parts_tenant_id_channel_id_wa_id"),
        "send_parts",
        ["tenant_id", "channel_id", "wa_id"],
        unique=False,
    )
    op.create_table(
        "send_attempts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("part_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_no", sa.SmallInteger(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("status_code", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "part_id"],
            ["send_parts.tenant_id", "send_parts.id"],
            name=op.f("fk_send_attempts_tenant_id_part_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_send_attempts")),
        sa.UniqueConstraint(
            "tenant_id",
            "part_id",
            "attempt_no",
            name=op.f("uq_send_attempts_tenant_id_part_id_attempt_no"),
        ),
    )
