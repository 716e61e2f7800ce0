"""Where a customer waits for a person: conditions on conversations ``c``.

People own a conversation, or the assistant left its last message to them. Then it did not answer,
and will not: the message came too late, at an hour or in a mode in which people answer, after a
STOP, or the reply may not have arrived. Nobody took over, so the conversation stays the
assistant's for what comes next; until a person has answered, somebody waits there all the same.
"""

from app.messaging.states import Disposition

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

_LEFT = ", ".join(
    f"'{disposition}'"
    for disposition in (
        Disposition.TOO_OLD,
        Disposition.OUT_OF_HOURS,
        Disposition.OPTED_OUT,
        Disposition.PAUSED,
        Disposition.SUSPENDED,
        Disposition.SEND_UNKNOWN,
    )
)
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

# What stands below the newest few hundred conversations, or is older than two weeks, no longer
# asks for attention: so this costs the same however many there are.
LEFT_ALONE = f"""
    left_alone as materialized (
        select c.id, l.disposition from (
            select p.* from conversations p
            where p.tenant_id = :tenant_id and p.state = 'pending'
              and p.last_message_at > now() - interval '14 days'
            order by p.last_message_at desc limit 300) c
        cross join lateral ({LEFT_AS}) l
    )
"""  # noqa: S608
"""A ``with`` query of ``id`` and ``disposition``; takes ``:tenant_id``."""
