"""Replies against charges: two more rules for the proof of the credits.

The ledger proves itself without knowing what a reply is; here both sides are known. The rules
are SQL over one tenant like the ledger's own, each one statement and so one snapshot: the
acceptance of a reply and its charge are one commit, so neither is ever seen alone.
"""

from billing.ledger.invariants import INVARIANTS, Invariant
from billing.payments.books import BOOKS

# Decided: no part is on its way or in doubt. A reply that nobody could prove for a day, or that an
# error had called lost, was given free of charge; evidence after that does not charge it.
ONE_CHARGE_PER_REPLY = Invariant(
    14,
    "each accepted reply has exactly one charge, of its price",
    """
select 'sends', s.id::text, case
    when h.id is null then 'the reply was accepted, and its hold does not exist'
    when h.state <> 'captured' then format('the reply was accepted, and its hold %s is %s', h.id,
        h.state)
    when h.job_id <> s.turn_id then format('its charge %s belongs to another turn', h.id)
    else format('its price is %s, charge %s is %s', s.price_ucr, h.id, h.captured_ucr) end
from sends s
left join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id
cross join lateral (
    select bool_or(p.state in ('accepted', 'sent', 'delivered', 'read')) as reached,
           bool_or(p.state in ('queued', 'sending', 'unknown')) as open,
           max(p.accepted_at) as accepted_at
    from send_parts p where p.tenant_id = s.tenant_id and p.send_id = s.id
) parts
where s.tenant_id = :tenant_id and s.hold_id is not null and parts.reached and not parts.open
    and not coalesce(h.state = 'released' and h.closed_at < parts.accepted_at, false)
    and (h.id is null or h.state <> 'captured' or h.job_id <> s.turn_id
        or h.captured_ucr <> s.price_ucr)
""",
)

# The replies of a closed business are erased; its books stay.
ONE_REPLY_PER_CHARGE = Invariant(
    15,
    "each charge has exactly one reply that the provider accepted",
    """
select 'credit_holds', h.id::text, format('%s accepted replies belong to this charge', r.replies)
from credit_holds h
cross join lateral (
    select count(*) as replies from sends s
    where s.tenant_id = h.tenant_id and s.turn_id = h.job_id and s.hold_id = h.id
        and exists (
            select from send_parts p where p.tenant_id = s.tenant_id and p.send_id = s.id
                and p.accepted_at is not null)
) r
join tenants b on b.id = h.tenant_id and b.status <> 'closed'
    and coalesce(b.erase_due_at > now(), true)
where h.tenant_id = :tenant_id and h.state = 'captured' and r.replies <> 1
""",
)

PROOF = (*INVARIANTS, ONE_CHARGE_PER_REPLY, ONE_REPLY_PER_CHARGE, *BOOKS)
"""Everything that ``parley credits verify`` and the nightly proof check."""
