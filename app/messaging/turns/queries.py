"""SQL of a turn's steps, for many turns of a tenant at once. Every write carries the epoch."""

from sqlalchemy import text

# Why an answer that is under way must not go out after all: b is the tenant, p the contact, k the
# business's conduct, which it may not have set.
STOP = """
    case when b.status <> 'active' then 'suspended'
         when p.blocked_at is not null then 'blocked'
         when p.opted_out_at is not null then 'opted_out'
         when k.mode = 'off' then 'paused' end
"""
# Turns are locked in the order of their ids, so that two transactions never wait in a circle.
MINE = text(
    """
    select t.id, t.lease_epoch as epoch, t.hold_id, t.supersedes, t.first_at,
           extract(epoch from now() - (
               select max(m.sent_at) from messages m
               where m.tenant_id = t.tenant_id and m.turn_id = t.id and m.direction = 'in'
                 and m.revoked_at is null))::float8 as age_s,
           coalesce(b.answer_max_age_s, :answer_max_age_s) as answer_max_age_s,
           b.status as tenant_status, b.locale, c.contact_id,
           p.opted_out_at is not null as opted_out, p.blocked_at is not null as blocked,
           coalesce(k.mode = 'off', false) as off,
           coalesce(k.loop_replies_per_hour, 20) as loop_replies_per_hour,
           coalesce(k.loop_repeats, 3) as loop_repeats,
           (select count(distinct s.turn_id) from conversations v
            join messages s on s.tenant_id = v.tenant_id and s.conversation_id = v.id
             and s.sent_at > now() - interval '1 hour' and s.author = 'assistant'
            where v.tenant_id = c.tenant_id and v.contact_id = c.contact_id
              and v.last_message_at > now() - interval '1 hour') as replies_last_hour,
           (select m.notice from messages m
            where m.tenant_id = t.tenant_id and m.turn_id = t.id and m.direction = 'in'
              and m.revoked_at is null
            order by m.sent_at desc, m.id desc limit 1) as notice,
           exists (select 1 from messages m
                   where m.tenant_id = t.tenant_id and m.turn_id = t.id and m.direction = 'in'
                     and m.revoked_at is null and m.notice is null) as asks,
           extract(epoch from (date_trunc('day', now() at time zone b.time_zone)
               + interval '1 day') at time zone b.time_zone - now())::float8 as day_left_s
    from unnest(cast(:ids as uuid[]), cast(:epochs as int[])) as h(id, epoch)
    join turns t on t.tenant_id = :tenant_id and t.id = h.id and t.lease_epoch = h.epoch
    join tenants b on b.id = t.tenant_id
    join conversations c on c.tenant_id = t.tenant_id and c.id = t.conversation_id
    join contacts p on p.tenant_id = c.tenant_id and p.id = c.contact_id
    left join tenant_conduct k on k.tenant_id = t.tenant_id
    where t.lease_owner = :owner and t.state in ('claimed', 'held')
    order by t.id for no key update of t
    """
)
# All that the turn answers, however long nobody could, and what was said before.
HISTORY = text(
    """
    select h.turn_id, newest.*
    from unnest(cast(:ids as uuid[]), cast(:conversations as uuid[]))
        as h(turn_id, conversation_id)
    join turns t on t.tenant_id = :tenant_id and t.id = h.turn_id
    cross join lateral (
        select m.id, m.author, m.kind, coalesce(m.body, '') as body, m.sent_at,
               coalesce(m.turn_id = h.turn_id and m.direction = 'in', false) as unanswered,
               c.push_name, f.id as file_id, f.name as file_name, f.reading, f.model as file_model,
               f.audio_ms, f.pages, f.input_tokens, f.output_tokens
        from messages m
        join conversations v on v.tenant_id = m.tenant_id and v.id = m.conversation_id
        join contacts c on c.tenant_id = v.tenant_id and c.id = v.contact_id
        left join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
        where m.tenant_id = :tenant_id and m.conversation_id = h.conversation_id
          and m.revoked_at is null
          and (m.direction = 'out' or m.turn_id = h.turn_id or m.disposition is not null)
        order by m.sent_at desc, m.id desc
        limit greatest(:messages_max, least(t.message_count + :before_min, :unanswered_max))
    ) newest
    order by h.turn_id, newest.sent_at, newest.id
    """
)
SPOKE_BEFORE = text(
    """
    select exists (select 1 from messages where tenant_id = :tenant_id
                     and conversation_id = :conversation_id and author = 'assistant')
    """
)
HELD = text(
    """
    update turns t set state = 'held', hold_id = r.hold_id,
        lease_until = now() + make_interval(secs => :lease_s)
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, epoch int, hold_id uuid)
    where t.tenant_id = :tenant_id and t.id = r.id and t.lease_epoch = r.epoch
    """
)
POSTPONE = text(
    """
    with moved as (
        update turns set state = 'waiting', lease_owner = null, lease_until = null,
            attempts = greatest(attempts - 1, 0),
            due_at = now() + make_interval(secs => :wait_s)
        where tenant_id = :tenant_id and id = :id and lease_epoch = :epoch and state = 'claimed'
        returning tenant_id
    )
    update tenant_queues q set blocked_until = now() + make_interval(secs => :wait_s)
    from moved where q.tenant_id = moved.tenant_id
    """
)
# No owner: the lease's end is when the turn may be claimed again, and it counts as nobody's
# work until then.
PARK = text(
    """
    update turns set lease_owner = null, lease_until = now() + make_interval(secs => :wait_s),
        failing_since = case when :failing then coalesce(failing_since, now())
                             else failing_since end
    where tenant_id = :tenant_id and id = :id and lease_epoch = :epoch
      and state in ('claimed', 'held', 'generated', 'sending')
    """
)
# With the answer goes how it came about, and the wish for a summary of what no longer fits.
GENERATED = text(
    """
    with answered as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(id uuid, epoch int, result jsonb, usage jsonb, model text, prompt_version text,
                 trace jsonb, forgotten_until timestamptz)
    ), generated as (
        update turns t set state = 'generated', result = r.result, usage = r.usage,
            model = r.model, prompt_version = r.prompt_version, generated_at = now(),
            failing_since = null, attempts = 1
        from answered r
        where t.tenant_id = :tenant_id and t.id = r.id and t.lease_epoch = r.epoch
          and t.state = 'held'
        returning t.id, t.conversation_id, r.trace, r.forgotten_until
    ), traced as (
        insert into turn_traces (tenant_id, turn_id, trace)
        select :tenant_id, id, trace from generated where trace <> '{}'
        on conflict (tenant_id, turn_id) do update set trace = excluded.trace
    )
    insert into conversation_summaries as s (tenant_id, conversation_id, wanted_until_at)
    select :tenant_id, conversation_id, forgotten_until
    from generated where forgotten_until is not null
    on conflict (tenant_id, conversation_id) do update
    set wanted_until_at = excluded.wanted_until_at, due_at = now(), tries = 0
    where s.until_at is null or s.until_at < excluded.wanted_until_at
    """
)
STILL_HELD = text(
    f"""
    select t.id, t.lease_epoch as epoch, t.hold_id, t.supersedes, c.amount_ucr,
           c.price_version_id, coalesce(k.bubbles, false) as bubbles,
           {STOP} as stop,
           exists (select 1 from messages m where m.tenant_id = t.tenant_id
                     and m.conversation_id = t.conversation_id and m.direction = 'in'
                     and m.disposition is null and m.turn_id is null) as newer
    from unnest(cast(:ids as uuid[]), cast(:epochs as int[])) as h(id, epoch)
    join turns t on t.tenant_id = :tenant_id and t.id = h.id and t.lease_epoch = h.epoch
    join credit_holds c on c.tenant_id = t.tenant_id and c.id = t.hold_id
    join tenants b on b.id = t.tenant_id
    join conversations v on v.tenant_id = t.tenant_id and v.id = t.conversation_id
    join contacts p on p.tenant_id = v.tenant_id and p.id = v.contact_id
    left join tenant_conduct k on k.tenant_id = t.tenant_id
    where t.lease_owner = :owner and t.state = 'held'
    order by t.id for no key update of t
    """  # noqa: S608 - a case of ours
)
LEASED = text(
    """
    select p.opted_out_at is not null as opted_out
    from turns t
    join conversations c on c.tenant_id = t.tenant_id and c.id = t.conversation_id
    join contacts p on p.tenant_id = c.tenant_id and p.id = c.contact_id
    where t.tenant_id = :tenant_id and t.id = :id and t.lease_epoch = :epoch
      and t.lease_owner = :owner and t.state in ('claimed', 'held')
    for no key update of t
    """
)
SENDING = text(
    """
    select t.id from turns t
    where t.tenant_id = :tenant_id and t.id = :id and t.lease_epoch = :epoch
      and t.lease_owner = :owner and t.state in ('generated', 'sending')
    """
)
GIVEN_UP = text(
    """
    update turns set state = 'generated', generated_at = now(), failing_since = null,
        attempts = 1, result = jsonb_build_object('failed', cast(:reason as text))
    where tenant_id = :tenant_id and id = :id and lease_epoch = :epoch
    """
)
"""The turn has failed; what is left to do is to tell the customer that people take over."""
