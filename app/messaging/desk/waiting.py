"""Where a customer waits for a person: conditions on conversations ``c``.

People own a conversation, or the assistant left its last message to them. Then it did not answer,
and will not: the message came too late, at an hour or in a mode in which people answer, after a
STOP, or the reply may not have arrived. Nobody took over, so the conversation stays the
assistant's for what comes next; until a person has answered, somebody waits there all the same.
"""

from app.messaging.states import LEFT_TO_PEOPLE

_ANSWERABLE = """
    not exists (
        select 1 from contacts b
        where b.tenant_id = c.tenant_id and b.id = c.contact_id and b.blocked_at is not null)
"""
# A takeover whose time is over is the assistant's again, whether or not its row says so yet.
OWNED = f"""
    c.state = 'open' and (c.human_until is null or c.human_until > now()) and {_ANSWERABLE}
"""
"""People own it, and may answer: who is blocked waits for nobody."""

_LEFT = ", ".join(f"'{disposition}'" for disposition in LEFT_TO_PEOPLE)
# A STOP itself asks for nothing.
LEFT_AS = f"""
    select z.disposition from (
        select x.sent_at, x.disposition, x.notice from messages x
        where x.tenant_id = c.tenant_id and x.conversation_id = c.id and x.direction = 'in'
          and x.disposition is distinct from 'ignored_kind'
        order by x.sent_at desc, x.id desc limit 1) z
    where c.state = 'pending' and (c.paused_until is null or c.paused_until <= now())
      and z.disposition in ({_LEFT}) and z.notice is distinct from 'opted_out'
      and not exists (
          select 1 from messages y
          where y.tenant_id = c.tenant_id and y.conversation_id = c.id and y.direction = 'out'
            and y.author in ('agent', 'owner') and y.sent_at >= z.sent_at)
      and {_ANSWERABLE}
"""  # noqa: S608
"""What became of the customer's last message in a conversation ``c``; no row where nobody waits."""

# By the index of such messages, so that what is answered costs nothing; what is older than two
# weeks no longer asks for attention, nor what stands below a thousand others.
LEFT_ALONE = f"""
    left_messages as (
        select distinct m.conversation_id as id from messages m
        where m.tenant_id = :tenant_id and m.direction = 'in' and m.disposition in ({_LEFT})
          and m.sent_at > now() - interval '14 days'
    ), left_alone as materialized (
        select c.id, l.disposition from (
            select p.* from left_messages f
            join conversations p on p.tenant_id = :tenant_id and p.id = f.id
            where p.state = 'pending'
            order by p.last_message_at desc limit 1000) c
        cross join lateral ({LEFT_AS}) l
    )
"""  # noqa: S608
"""``with`` queries; ``left_alone`` tells ``id`` and ``disposition``. Takes ``:tenant_id``."""
