"""Money against credits: what was paid, taken back or approved stands in the ledger, and no more.

Two more rules for the proof, each one SQL statement over one tenant like the ledger's own. A
change of a payment, reversal or request and its movement in the ledger are one commit.
"""

from billing.ledger.invariants import Invariant

PAYMENTS_BROUGHT_CREDITS = Invariant(
    16,
    "each payment brought its credits once, and what went back took its part",
    """
select 'payments', p.id::text, case
    when p.state <> 'paid' then 'it is not paid, and brought credits'
    when p.lot_id is null then 'it is paid, and brought no credits'
    else 'its lot is missing, or of another payment, kind or amount' end
from payments p left join credit_lots l on l.tenant_id = p.tenant_id and l.id = p.lot_id
where p.tenant_id = :tenant_id and (
    (p.lot_id is not null and p.state <> 'paid')
    or (p.lot_id is null and p.state = 'paid' and p.kind = 'top_up')
    or (p.lot_id is not null and (l.payment_id, l.amount_ucr, l.source) is distinct from
        (p.id, p.credits_ucr, case p.kind when 'top_up' then 'purchase' else 'plan' end)))
union all
select 'payments', p.id::text, 'clawed is not what its refunds and disputes took'
from payments p
where p.tenant_id = :tenant_id and p.clawed_ucr <> coalesce((
    select sum(r.clawed_ucr) from payment_reversals r
    where r.tenant_id = p.tenant_id and r.payment_id = p.id and r.state <> 'won'), 0)
union all
select 'credit_lots', l.id::text, 'the payment that it names did not bring it'
from credit_lots l
where l.tenant_id = :tenant_id and l.payment_id is not null and l.source in ('purchase', 'plan')
    and not exists (
        select from payments p
        where p.tenant_id = l.tenant_id and p.id = l.payment_id and p.lot_id = l.id)
union all
select 'payment_reversals', coalesce(r.id, o.id)::text, 'the ledger took back something else'
from (
    select r.id, r.clawed_ucr, p.lot_id
    from payment_reversals r
    join payments p on p.tenant_id = r.tenant_id and p.id = r.payment_id
    where r.tenant_id = :tenant_id and r.clawed_ucr > 0
) r
full join (
    select id, amount_ucr, lot_id from credit_ops
    where tenant_id = :tenant_id and kind = 'claw' and created_by = 'system:stripe'
) o on o.id = r.id
where r.id is null or o.id is null
    or (o.amount_ucr, o.lot_id) is distinct from (r.clawed_ucr, r.lot_id)
union all
select 'payment_reversals', r.id::text, 'it was won, and what it took was not returned'
from payment_reversals r
where r.tenant_id = :tenant_id and r.state = 'won' and r.clawed_ucr > 0 and not exists (
    select from credit_lots l
    where l.tenant_id = r.tenant_id and l.source = 'correction' and l.payment_id = r.payment_id
        and l.source_ref = concat_ws(':', 'dispute', r.provider_ref, 'won')
        and l.amount_ucr = r.clawed_ucr)
""",
)

REQUESTS_WERE_APPLIED = Invariant(
    17,
    "each request was applied as it was asked and approved, or not at all",
    """
select 'credit_requests', q.id::text, case
    when l.id is null and o.id is null then 'it is applied, and nothing was moved'
    when q.state <> 'applied' then 'it is not applied, and something was moved'
    else 'something else was moved than was asked' end
from credit_requests q
left join credit_lots l on l.tenant_id = q.tenant_id and l.id = q.id
left join credit_ops o on o.tenant_id = q.tenant_id and o.id = q.id
where q.tenant_id = :tenant_id and (
    (q.state = 'applied') <> (l.id is not null or o.id is not null)
    or (l.id is not null and ('grant', l.source, l.amount_ucr, l.expires_at, l.reason,
            l.created_by, l.approved_by)
        is distinct from (q.kind, q.source, q.amount_ucr, q.expires_at, q.reason,
            q.requested_by, q.decided_by))
    or (o.id is not null and (o.kind, o.hold_id, o.amount_ucr, o.reason, o.created_by,
            o.approved_by)
        is distinct from (q.kind, q.hold_id, q.amount_ucr, q.reason, q.requested_by,
            q.decided_by)))
""",
)

BOOKS = (PAYMENTS_BROUGHT_CREDITS, REQUESTS_WERE_APPLIED)
"""The rules of this module, for whoever puts the whole proof together."""
