"""SQL of the normaliser: the work list, and what a batch needs to know of its channels."""

from sqlalchemy import text

CLAIM = text(
    """
    with work as (
        select tenant_id, channel_id, key, inbox_id, event_day, received_at, attempts
        from inbox_keys where pending
        order by received_at limit :batch_max for update skip locked
    )
    select w.*, i.body, i.request_id
    from work w
    left join inbox i on i.tenant_id = w.tenant_id and i.id = w.inbox_id
     and i.received_day = w.event_day
    order by w.received_at, w.inbox_id
    """
)
CLAIM_ONE = text(
    """
    select w.tenant_id, w.channel_id, w.key, w.inbox_id, w.event_day, w.received_at, w.attempts,
           i.body, i.request_id
    from inbox_keys w
    left join inbox i on i.tenant_id = w.tenant_id and i.id = w.inbox_id
     and i.received_day = w.event_day
    where w.tenant_id = :tenant_id and w.channel_id = :channel_id and w.key = :key and w.pending
    for update of w skip locked
    """
)
CHANNELS = text(
    """
    select c.id, c.tenant_id, c.engine, c.engine_version, c.own_address, c.own_name, c.status,
           c.status_ms,
           t.status as tenant_status, t.batch_messages_max, t.locale, t.time_zone,
           coalesce(k.mode, 'always') as mode, k.week, k.special_days,
           k.closed_text is not null as has_closed_text,
           coalesce(t.idle_s, :idle_s) as idle_s, coalesce(t.cap_s, :cap_s) as cap_s,
           coalesce(t.answer_max_age_s, :answer_max_age_s) as answer_max_age_s,
           now() as now,
           c.last_event_at is null or c.last_event_at < now() - interval '15 seconds' as quiet
    from unnest(cast(:ids as uuid[])) as i(id)
    join channels c on c.id = i.id
    join tenants t on t.id = c.tenant_id
    left join tenant_conduct k on k.tenant_id = c.tenant_id
    """
)
FINISH = text(
    """
    update inbox_keys k set pending = false, outcome = r.outcome
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, channel_id uuid, key text, outcome text)
    where k.tenant_id = r.tenant_id and k.channel_id = r.channel_id
      and k.key = decode(r.key, 'hex')
    """
)
FAIL = text(
    """
    update inbox_keys
    set attempts = attempts + 1,
        pending = attempts + 1 < :attempts_max,
        outcome = case when attempts + 1 < :attempts_max then outcome else 'failed' end
    where tenant_id = :tenant_id and channel_id = :channel_id and key = :key
    returning pending
    """
)
# Another phone's past is not this number's: what was said there before stays there.
ANOTHER_PHONE = """
        reconcile_from = case
            when split_part(r.own_address, '@', 2) = split_part(c.own_address, '@', 2)
             and r.own_address <> c.own_address then now()
            else c.reconcile_from end
"""
# What events tell of channels is written by several statements: all rows first, in one order.
LOCK_CHANNELS = text(
    """
    select c.id from channels c
    join unnest(cast(:tenants as uuid[]), cast(:ids as uuid[])) as r(tenant_id, id)
      on r.tenant_id = c.tenant_id and r.id = c.id
    order by c.tenant_id, c.id for no key update of c
    """
)
# An event that is older than the newest status is of whoever had the number before: after a
# change of phones the old one's last words may come late, and tell nothing of whose it is.
TOUCH_CHANNEL = text(
    f"""
    with told as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, id uuid, engine text, engine_version text, own_address text,
                 own_name text, owned_ms bigint)
    ), r as (
        select t.tenant_id, t.id, t.engine, t.engine_version,
               case when not k.overtaken then t.own_address end as own_address,
               case when not k.overtaken then t.own_name end as own_name
        from told t cross join lateral (
            select coalesce(t.owned_ms < c.status_ms and c.own_address is not null, false)
                as overtaken
            from channels c where c.tenant_id = t.tenant_id and c.id = t.id) k
    )
    update channels c
    set engine = coalesce(r.engine, c.engine),
        engine_version = coalesce(r.engine_version, c.engine_version),
        own_address = coalesce(r.own_address, c.own_address),
        own_name = coalesce(r.own_name, c.own_name),
        last_event_at = now(), {ANOTHER_PHONE}
    from r
    where c.tenant_id = r.tenant_id and c.id = r.id
    """  # noqa: S608 - our own assignment
)
OWN_PARTS = text(
    """
    select r.n, p.tenant_id, p.id, p.state, p.wa_id
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(n int, tenant_id uuid, channel_id uuid, wa_id text)
    join send_parts p on p.client_message_id = r.wa_id and p.tenant_id = r.tenant_id
     and p.channel_id = r.channel_id
    union
    select r.n, p.tenant_id, p.id, p.state, p.wa_id
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(n int, tenant_id uuid, channel_id uuid, wa_id text)
    join send_parts p on p.tenant_id = r.tenant_id and p.channel_id = r.channel_id
     and p.wa_id = r.wa_id
    union
    select r.n, c.tenant_id, c.id, 'accepted', c.wa_id
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(n int, tenant_id uuid, channel_id uuid, wa_id text)
    join phone_codes c on c.tenant_id = r.tenant_id and c.channel_id = r.channel_id
     and c.wa_id = r.wa_id
    """
)
# An echo of a send whose id we could not choose: the same text, to the same person, now. While
# the call is under way WAHA may not know yet that it was the API's, so only a send given up
# needs that word: its text may as well have been sent again by a person.
ECHO_BY_TEXT = text(
    """
    select p.id, p.state
    from send_parts p
    join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
    join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
    join conversations c on c.tenant_id = s.tenant_id and c.id = s.conversation_id
    join contact_addresses a on a.tenant_id = c.tenant_id and a.contact_id = c.contact_id
    where p.tenant_id = :tenant_id and p.channel_id = :channel_id
      and (p.state = 'sending' or (p.state = 'unknown' and :via_api)) and p.wa_id is null
      and a.address = :chat and coalesce(m.body, '') = :body and m.kind = :kind
    order by p.started_at limit 1
    """
)
