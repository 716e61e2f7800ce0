"""What a large business has behind it, as SQL: contacts, conversations, replies and their credits.

Made in one pass without triggers and foreign keys. Times go back from now in steps, ids are of
their times, so that ranges of days lie in the tables as they would after weeks of work.
"""

CONTACTS = """
insert into contacts (tenant_id, id, push_name, created_at, blocked_at, opted_out_at)
select $1, uuidv7(- n * interval '20 seconds'),
       (array['Ana','Luis','Marta','João','Kim','Noa'])[1 + n % 6] || ' ' ||
       (array['Reis','Lima','Berg','Silva','Costa'])[1 + n % 5] || ' ' || n,
       now() - n * interval '20 seconds',
       case when n % 500 = 0 then now() end, case when n % 400 = 0 then now() end
from generate_series(1, $2::int) n
"""
ADDRESSES = """
insert into contact_addresses (tenant_id, id, contact_id, kind, address)
select $1, uuidv7(), id, 'phone', (34600000000 + row_number() over ())::text || '@c.us'
from contacts where tenant_id = $1
"""
TAGS = """
insert into contact_tags (tenant_id, contact_id, tag)
select $1, contact_id, 'regular' from (
    select contact_id, row_number() over (order by id) as n
    from contact_addresses where tenant_id = $1) a
where n % 3 = 0
"""
CONVERSATIONS = """
insert into conversations (tenant_id, id, channel_id, contact_id, state, address, handover_reason,
                           assignee_id, last_message_at, created_at)
select a.tenant_id, uuidv7(- n * interval '20 seconds'), $2, a.contact_id,
       case when n % 20 = 0 then 'open' when n % 10 < 3 then 'pending' else 'resolved' end,
       a.address, case when n % 20 = 0 then 'customer_request' end,
       case when n % 60 = 0 then $3::uuid end,
       now() - n * interval '20 seconds', now() - n * interval '20 seconds' - interval '5 minutes'
from (select *, row_number() over (order by id) as n from contact_addresses where tenant_id = $1) a
"""
# A question and its answer each: the second half of the ids.
REPLIES = """
create temporary table replies as
select c.id as conversation_id, c.channel_id, c.contact_id, c.address, r.at,
       uuidv7(r.at - now()) as in_id, uuidv7(r.at - now()) as out_id,
       uuidv7(r.at - now()) as turn_id, uuidv7(r.at - now()) as hold_id,
       uuidv7(r.at - now()) as send_id, uuidv7(r.at - now()) as part_id,
       (hashtext(c.id::text || r.k) & 4095) as word, (hashtext(c.id::text) & 65535) as order_no
from conversations c
cross join lateral (
    select k, c.last_message_at - ($2::int / 2 - k) * interval '1 minute' - interval '30 seconds'
        as at from generate_series(1, $2::int / 2) k) r
where c.tenant_id = $1 order by r.at
"""
QUESTIONS = """
insert into messages (tenant_id, id, conversation_id, channel_id, direction, author, wa_id, kind,
                      body, sent_at, received_at, turn_id, disposition)
select $1, in_id, conversation_id, channel_id, 'in', 'customer', md5(in_id::text), 'text',
       'word' || word || ' order ' || order_no || ' open tomorrow', at, at, turn_id, 'answered'
from replies
"""
ANSWERS = """
insert into messages (tenant_id, id, conversation_id, channel_id, direction, author, wa_id, kind,
                      body, sent_at, received_at, turn_id)
select $1, out_id, conversation_id, channel_id, 'out', 'assistant', md5(out_id::text), 'text',
       'word' || (word * 7 & 4095) || ' order ' || order_no || ' open tomorrow',
       at + interval '30 seconds', at + interval '30 seconds', turn_id
from replies
"""
TURNS = """
insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at, hold_id,
                   result, generated_at, finished_at, created_at)
select $1, turn_id, conversation_id, channel_id, 'done', at, at + interval '8 seconds', hold_id,
       '{}', at + interval '10 seconds', at + interval '30 seconds', at
from replies
"""
SENDS = """
insert into sends (tenant_id, id, conversation_id, channel_id, turn_id, author, address, hold_id,
                   price_ucr, created_at)
select $1, send_id, conversation_id, channel_id, turn_id, 'assistant', address, hold_id, 1000000,
       at + interval '10 seconds'
from replies
"""
PARTS = """
insert into send_parts (tenant_id, id, send_id, channel_id, message_id, part_no, client_message_id,
                        state, attempts, started_at, accepted_at, acked_at, wa_id, ack, created_at)
select $1, part_id, send_id, channel_id, out_id, 1, part_id::text, 'delivered', 1,
       at + interval '20 seconds', at + interval '30 seconds', at + interval '40 seconds',
       md5(out_id::text), 2, at + interval '10 seconds'
from replies
"""
HOLDS = """
insert into credit_holds (tenant_id, id, job_id, amount_ucr, captured_ucr, state, price_version_id,
                          cost_usd_micro, created_by, contact_id, closed_at, created_at)
select $1, hold_id, turn_id, 1000000, 1000000, 'captured', 1, 210, 'turn', contact_id,
       at + interval '30 seconds', at + interval '9 seconds'
from replies
"""
HOLD_PARTS = """
insert into hold_parts (tenant_id, hold_id, position, lot_id, amount_ucr, captured_ucr)
select $1, hold_id, 1, $2, 1000000, 1000000 from replies
"""
# The first entries are those of the wallet as it was made.
JOURNAL = """
insert into journal (tenant_id, seq, kind, src, dst, amount_ucr, available_after_ucr, key, hold_id,
                     lot_id, facts, created_at, hash)
select $1, 1000 + 2 * n + m.step, m.kind, m.src, m.dst, 1000000, 1000000, m.kind || ':' || hold_id,
       hold_id, $2, '{}', at + m.step * interval '20 seconds' + interval '9 seconds', '\\x00'
from (select *, row_number() over (order by at) as n from replies) r
cross join (values (0, 'hold', 'available', 'held'), (1, 'capture', 'held', 'spent'))
    m(step, kind, src, dst)
"""
# Other businesses, for the pages that look over all of them.
BUSINESSES = """
with made as (
    insert into tenants (id, slug, name, plan_code, time_zone, created_at)
    select uuidv7(- n * interval '1 hour'), 'other-' || n || '-' || substr($1::uuid::text, 25),
           'Business ' || n, t.plan_code, 'UTC', now() - n * interval '1 hour'
    from generate_series(1, $2::int) n cross join tenants t where t.id = $1
    returning id)
insert into wallets (tenant_id) select id from made
"""
LABELS = """
with made as (
    insert into labels (tenant_id, id, name)
    select $1, uuidv7(), 'label ' || n from generate_series(1, 10) n returning id)
insert into conversation_labels (tenant_id, conversation_id, label_id)
select $1, c.id, l.id
from (select id from conversations where tenant_id = $1 order by id desc limit 5000) c
cross join (select id from made limit 2) l
"""
QUESTIONS_OPEN = """
insert into unanswered_questions (tenant_id, id, question, normal, reason, last_asked_at)
select $1, uuidv7(), 'What about ' || n || '?', 'what about ' || n, 'missing_knowledge',
       now() - n * interval '1 minute'
from generate_series(1, 2000) n
"""
ANSWERS_WRITTEN = """
insert into question_answers (tenant_id, id, question, answer)
select $1, uuidv7(), 'Question ' || n, 'Answer ' || n from generate_series(1, 1000) n
"""
AUDIT = """
insert into audit_log (tenant_id, id, at, actor_kind, action, subject)
select $1, uuidv7(- n * interval '1 minute'), now() - n * interval '1 minute', 'user',
       'contact.change', 'contact'
from generate_series(1, 50000) n
"""
SINGLES = """
with source as (
    insert into knowledge_sources (tenant_id, id, kind, title, url)
    select $1, uuidv7(), 'site', 'Site', 'https://example.org/' returning id
), page as (
    insert into knowledge_documents (tenant_id, id, source_id, kind, title, url)
    select $1, uuidv7(), id, 'page', 'Page', 'https://example.org/page' from source
), tool as (
    insert into tenant_tools (tenant_id, id, name, description, parameters, method, url)
    select $1, uuidv7(), 'stock', 'Tells what is left.', '{}', 'GET', 'https://example.org/stock'
), version as (
    insert into assistant_versions (tenant_id, id, number, state, content, published_at)
    select $1, uuidv7(), 1, 'past', '{}', now()
), campaign as (
    insert into channel_campaigns (tenant_id, id, channel_id, code, label, greeting)
    select $1, uuidv7(), id, 'BENCH', 'Door', 'Hello' from channels where tenant_id = $1 limit 1
), import as (
    insert into contact_imports (tenant_id, id, user_id, file_name, rows, found)
    select $1, uuidv7(), uuidv7(), 'contacts.csv', '{}', 0
)
insert into business_exports (tenant_id, id, user_id, state)
select $1, uuidv7(), uuidv7(), 'expired'
"""
OF_HISTORY = (QUESTIONS, ANSWERS, TURNS, SENDS, PARTS, HOLDS)
OF_BUSINESS = (TAGS, LABELS, QUESTIONS_OPEN, ANSWERS_WRITTEN, AUDIT, SINGLES)
