"""Raw SQL with the servers' own login: nothing without a scope, one tenant's rows with it."""

import asyncpg
import pytest

from tests.database.catalog import CLOSED_LIST, connected, tables
from tests.databases import TestDatabase
from tests.engine.bench import Bench, Business
from tests.engine.conftest import bench

__all__ = ["bench"]
pytestmark = pytest.mark.anyio
PLATFORM = {
    "process_heartbeats",
    "leases",
    "mails",
    "stripe_events",
    "top_up_packages",
    "account_tokens",
    "recovery_codes",
    "passkeys",
    "passkey_challenges",
    "account_log",
    "mail_blocks",
}
# Filled by what a conversation does not touch: refunds; and what the dashboard will write.
_FILL = (
    "insert into process_heartbeats (instance, service) values ('x', 'worker')",
    "insert into leases (name, owner, until) values ('x', 'y', now())",
)
_FILL_TENANT = (
    (
        "insert into credit_minutes (tenant_id, slot, minute, amount_ucr)"
        " values ($1, 0, date_trunc('hour', now()), 1)"
    ),
    (
        "insert into charge_days (tenant_id, day, local_day, time_zone, charges, charged_ucr,"
        " cost_usd_micro, cost_unknown) values ($1, current_date, current_date, 'UTC', 1, 1, 1, 0)"
    ),
    (
        "insert into charge_day_revenue (tenant_id, day, currency, revenue_minor)"
        " values ($1, current_date, 'EUR', 1)"
    ),
    (
        "insert into ledger_proofs (tenant_id, night, outcome, figures)"
        " values ($1, current_date, 'proved', '{}')"
    ),
    "insert into billing_profiles (tenant_id, legal_name) values ($1, 'Harbour Bakery Ltd')",
    (
        "insert into subscriptions (tenant_id, plan_code, anchor_at, period_start, period_end)"
        " select id, plan_code, now(), now(), now() + interval '1 month' from tenants where id = $1"
    ),
    (
        "with p as (insert into payments (tenant_id, id, kind, price_minor, currency, created_by)"
        " values ($1, gen_random_uuid(), 'top_up', 2000, 'EUR', 'x') returning id)"
        " insert into payment_reversals (tenant_id, id, payment_id, kind, provider_ref,"
        " amount_minor, clawed_ucr, state)"
        " select $1, gen_random_uuid(), id, 'refund', 'x', 0, 0, 'applied' from p"
    ),
    (
        "with k as (insert into top_up_packages (code, name, credits_ucr, price_minor, currency)"
        " values ('filled', 'Filled', 1, 1, 'EUR') on conflict (code) do update"
        " set name = excluded.name returning code)"
        " insert into auto_top_ups (tenant_id, package_code, threshold_ucr, monthly_max_minor)"
        " select $1, code, 1, 1 from k"
    ),
    (
        "insert into credit_requests (tenant_id, id, kind, source, amount_ucr, reason,"
        " needs_approval, requested_by)"
        " values ($1, gen_random_uuid(), 'grant', 'promo', 1, 'welcome', false, 'x')"
    ),
    (
        "insert into channel_campaigns (tenant_id, id, channel_id, code, label, greeting)"
        " select tenant_id, gen_random_uuid(), id, 'ABCDEF', 'Window', 'Hi'"
        " from channels where tenant_id = $1 limit 1"
    ),
    (
        "insert into tenant_days (tenant_id, day, received, answered, handed_over, silent,"
        " reply_counts, spent_ucr) values ($1, current_date, 1, 1, 0, '{}', '{}', 0)"
    ),
    (
        "insert into conversation_reads (tenant_id, user_id, conversation_id, seen_at)"
        " select $1, gen_random_uuid(), id, now() from conversations where tenant_id = $1"
    ),
    (
        "insert into conversation_notes (tenant_id, id, conversation_id, user_id, body)"
        " select $1, gen_random_uuid(), id, gen_random_uuid(), 'kind' from conversations"
        " where tenant_id = $1"
    ),
    (
        "with l as (insert into labels (tenant_id, id, name)"
        " values ($1, gen_random_uuid(), 'VIP') returning id)"
        " insert into conversation_labels (tenant_id, conversation_id, label_id)"
        " select $1, c.id, l.id from l, conversations c where c.tenant_id = $1"
    ),
    (
        "insert into canned_replies (tenant_id, id, shortcut, body)"
        " values ($1, gen_random_uuid(), 'late', 'Until ten.')"
    ),
    (
        "insert into desk_sends (tenant_id, send_id, conversation_id, user_id, form_key, open)"
        " select $1, id, conversation_id, gen_random_uuid(), gen_random_uuid(), false from sends"
        " where tenant_id = $1"
    ),
    "insert into tenant_conduct (tenant_id, mode) values ($1, 'always')",
    "insert into balance_marks (tenant_id, percent, base_ucr) values ($1, 100, 1)",
    "insert into assistant_profiles (tenant_id, persona) values ($1, 'Kind')",
    (
        "insert into assistant_versions (tenant_id, id, state, content)"
        " values ($1, gen_random_uuid(), 'draft', '{}')"
    ),
    (
        "insert into tenant_tools (tenant_id, id, name, description, parameters, method, url)"
        " values ($1, gen_random_uuid(), 'find_order', 'Finds', '{}', 'GET', 'https://x')"
    ),
    (
        "with c as (select id from contacts where tenant_id = $1 limit 1),"
        " f as (insert into contact_facts (tenant_id, id, contact_id, key, value)"
        " select $1, gen_random_uuid(), id, 'size', 'M' from c)"
        " insert into contact_verifications (tenant_id, contact_id) select $1, id from c"
    ),
    (
        "insert into conversation_summaries (tenant_id, conversation_id, summary)"
        " select $1, id, 'Asked' from conversations where tenant_id = $1 limit 1"
    ),
    (
        "insert into turn_traces (tenant_id, turn_id, trace)"
        " select $1, id, '{}' from turns where tenant_id = $1 limit 1"
        " on conflict do nothing"
    ),
    ("insert into message_media (tenant_id, id, kind) values ($1, gen_random_uuid(), 'image')"),
    "insert into media_garbage (tenant_id, id) values ($1, gen_random_uuid())",
    (
        "insert into question_answers (tenant_id, id, question, answer)"
        " values ($1, gen_random_uuid(), 'Open?', 'Yes')"
    ),
    (
        "with s as (insert into knowledge_sources (tenant_id, id, kind, title)"
        " values ($1, gen_random_uuid(), 'file', 'Menu') returning id),"
        " d as (insert into knowledge_documents (tenant_id, id, source_id, kind, title)"
        " select $1, gen_random_uuid(), id, 'file', 'Menu' from s returning id),"
        " u as (insert into knowledge_uploads (tenant_id, document_id, filename, body)"
        " select $1, id, 'menu.txt', '' from d),"
        " c as (insert into knowledge_chunks (tenant_id, id, document_id, place, title, body,"
        " tokens, search) select $1, gen_random_uuid(), id, 0, 'Menu', 'Bread', 1, '' from d"
        " returning id)"
        " insert into knowledge_vectors (tenant_id, model, chunk_id, dims, embedding)"
        " select $1, 'x', id, 1, '[1]' from c"
    ),
    "insert into knowledge_generations (tenant_id, model, dims) values ($1, 'x', 1)",
    (
        "insert into unanswered_questions (tenant_id, id, question, normal, reason)"
        " values ($1, gen_random_uuid(), 'Cake?', 'cake', 'missing_knowledge')"
    ),
    (
        "with u as (insert into users (id, email, name) values"
        " (gen_random_uuid(), gen_random_uuid() || '@example.org', 'Ada') returning id)"
        " insert into memberships (tenant_id, user_id, role) select $1, id, 'owner' from u"
    ),
    (
        "insert into invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at)"
        " values ($1, gen_random_uuid(), 'b@example.org', 'agent',"
        " decode(md5(random()::text), 'hex'), gen_random_uuid(), now())"
    ),
    (
        "insert into api_keys (tenant_id, id, public_id, name, secret_hash, scopes)"
        " values ($1, gen_random_uuid(), md5(random()::text), 'Shop', '', '{read}')"
    ),
    (
        "insert into phone_codes (tenant_id, id, channel_id, purpose, phone_hash, code_hash,"
        " expires_at) values"
        " ($1, gen_random_uuid(), gen_random_uuid(), 'identity', 'p', 'c', now())"
    ),
    (
        "insert into consents (tenant_id, id, user_id, kind, version)"
        " values ($1, gen_random_uuid(), gen_random_uuid(), 'terms', '1')"
    ),
    (
        "insert into user_notifications (tenant_id, user_id, kind, email)"
        " select tenant_id, user_id, 'handover', true from memberships where tenant_id = $1"
    ),
    (
        "insert into contact_tags (tenant_id, contact_id, tag)"
        " select tenant_id, id, 'regular' from contacts where tenant_id = $1"
    ),
    (
        "insert into contact_imports (tenant_id, id, user_id, file_name, rows, found)"
        " values ($1, gen_random_uuid(), gen_random_uuid(), 'list.csv', '{}', 0)"
    ),
    (
        "with e as (insert into business_exports (tenant_id, id, user_id)"
        " values ($1, gen_random_uuid(), gen_random_uuid()) returning id)"
        " insert into business_export_chunks (tenant_id, export_id, chunk_no, content)"
        " select $1, id, 0, '' from e"
    ),
)


async def two_busy_tenants(bench: Bench) -> tuple[Business, Business]:
    """Two businesses with rows in every table: answered, charged and refunded."""
    shops = (await bench.business(), await bench.business())
    for n, shop in enumerate(shops):
        await bench.write(shop, f"1555010{n + 1}", f"hello {n}")
        await bench.work()
        await bench.ack(shop, bench.sender.phone[-1], -1)
    async with connected(bench.database.superuser_url) as connection:
        for statement in _FILL:
            await connection.execute(statement)
        for shop in shops:
            for statement in _FILL_TENANT:
                await connection.execute(statement, shop.tenant_id)
    return shops


async def tenant_tables(database: TestDatabase) -> dict[str, str]:
    """The column that holds the tenant, by table; day partitions are asked through their parent."""
    async with connected(database.superuser_url) as connection:
        found = await tables(connection)
    return {
        name: "id" if name == "tenants" else "tenant_id"
        for name, table in found.items()
        if name not in CLOSED_LIST | PLATFORM and not table["partition"]
    }


async def scoped(connection: asyncpg.Connection, tenant_id: object) -> None:
    await connection.execute("select set_config('app.tenant_id', $1, true)", str(tenant_id))


async def test_every_table_has_rows_of_both(bench: Bench):
    """Else the tests below would prove nothing."""
    mine, theirs = await two_busy_tenants(bench)
    async with connected(bench.database.superuser_url) as connection:
        for table, column in (await tenant_tables(bench.database)).items():
            rows = await connection.fetch(f"select distinct {column} as tenant from {table}")
            assert {row["tenant"] for row in rows} == {mine.tenant_id, theirs.tenant_id}, table


async def test_without_a_scope_nothing_is_seen(bench: Bench):
    await two_busy_tenants(bench)
    async with connected(bench.database.superuser_url) as connection:
        names = set(await tables(connection)) - CLOSED_LIST - PLATFORM
    async with connected(bench.database.app_url) as connection:
        for table in sorted(names):
            try:
                count = await connection.fetchval(f"select count(*) from {table}")
            except asyncpg.InsufficientPrivilegeError:
                continue  # a day's partition is only reached through its parent
            assert count == 0, table


@pytest.mark.parametrize("scope", ["", "00000000-0000-0000-0000-000000000000"])
async def test_an_empty_or_unknown_scope_sees_nothing(bench: Bench, scope: str):
    await two_busy_tenants(bench)
    names = await tenant_tables(bench.database)
    async with connected(bench.database.app_url) as connection, connection.transaction():
        await scoped(connection, scope)
        for table in names:
            assert await connection.fetchval(f"select count(*) from {table}") == 0, table


async def test_a_scope_sees_its_own_rows_only(bench: Bench):
    mine, _ = await two_busy_tenants(bench)
    names = await tenant_tables(bench.database)
    async with connected(bench.database.app_url) as connection, connection.transaction():
        await scoped(connection, mine.tenant_id)
        for table, column in names.items():
            rows = await connection.fetch(f"select distinct {column} as tenant from {table}")
            assert {row["tenant"] for row in rows} == {mine.tenant_id}, table


async def test_the_scope_ends_with_its_transaction(bench: Bench):
    mine, _ = await two_busy_tenants(bench)
    async with connected(bench.database.app_url) as connection:
        async with connection.transaction():
            await scoped(connection, mine.tenant_id)
        assert await connection.fetchval("select count(*) from messages") == 0


async def test_foreign_rows_are_neither_changed_nor_made(bench: Bench):
    mine, theirs = await two_busy_tenants(bench)
    names = await tenant_tables(bench.database)
    for table, column in names.items():
        async with connected(bench.database.app_url) as connection:
            for statement in (
                f"update {table} set {column} = {column} where {column} = $1",
                f"delete from {table} where {column} = $1",
            ):
                async with connection.transaction():
                    await scoped(connection, mine.tenant_id)
                    try:
                        async with connection.transaction():
                            done = await connection.execute(statement, theirs.tenant_id)
                    except asyncpg.InsufficientPrivilegeError:
                        continue
                    assert done in {"UPDATE 0", "DELETE 0"}, (table, statement)


async def test_a_row_cannot_be_made_for_or_moved_to_another_tenant(bench: Bench):
    mine, theirs = await two_busy_tenants(bench)
    refused = (asyncpg.InsufficientPrivilegeError,)
    for table in ("contacts", "messages", "turns", "inbox_keys", "audit_log", "tenant_queues"):
        async with connected(bench.database.app_url) as connection, connection.transaction():
            await scoped(connection, mine.tenant_id)
            columns = ", ".join(
                row["attname"]
                for row in await connection.fetch(
                    "select attname from pg_attribute where attrelid = $1::text::regclass"
                    " and attnum > 0 and not attisdropped and attname <> 'tenant_id'",
                    table,
                )
            )
            for statement in (
                f"insert into {table} (tenant_id, {columns}) select $1, {columns} from {table}",
                f"update {table} set tenant_id = $1",
            ):
                with pytest.raises(refused):
                    async with connection.transaction():
                        await connection.execute(statement, theirs.tenant_id)


async def test_platform_tables_show_nothing_to_the_app(bench: Bench):
    await two_busy_tenants(bench)
    async with connected(bench.database.app_url) as connection:
        for table in sorted(PLATFORM):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"select count(*) from {table}")


async def test_the_owner_sees_no_rows_either(bench: Bench):
    await two_busy_tenants(bench)
    names = await tenant_tables(bench.database)
    async with connected(bench.database.admin_url) as connection:
        for table in names:
            assert await connection.fetchval(f"select count(*) from {table}") == 0, table


async def test_the_system_sees_all_tenants(bench: Bench):
    mine, theirs = await two_busy_tenants(bench)
    async with connected(bench.database.system_url) as connection:
        rows = await connection.fetch("select distinct tenant_id from messages")
    assert {row[0] for row in rows} == {mine.tenant_id, theirs.tenant_id}
