"""The invariants of the ledger, each one SQL statement over one tenant.

Every statement returns the rows that break its rule as ``(table, row, detail)``. Being one
statement it sees one snapshot, and each ledger call is one commit, so a busy tenant can be
verified at any time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule; ``sql`` takes ``:tenant_id`` and returns what breaks it."""

    number: int
    rule: str
    sql: str


_WALLET = "(select cast(:tenant_id as uuid) as tenant_id) t left join wallets w using (tenant_id)"

WALLET_CONSERVED = Invariant(
    1,
    "the wallet is conserved and nothing in it is negative",
    """
select 'wallets', w.tenant_id::text, 'issued is not the sum of the buckets, or one is negative'
from wallets w
where w.tenant_id = :tenant_id and (
    w.issued_ucr
        <> w.available_ucr + w.held_ucr + w.spent_ucr + w.expired_ucr + w.clawed_ucr
    or least(w.available_ucr, w.held_ucr, w.spent_ucr, w.expired_ucr, w.clawed_ucr,
             w.owed_ucr) < 0
    or (w.owed_ucr > 0 and w.available_ucr > 0))
union all
select 'wallets', w.tenant_id::text, 'frozen without a reason, or a reason without being frozen'
from wallets w
where w.tenant_id = :tenant_id and (w.frozen_at is null) <> (w.frozen_reason is null)
""",
)

LOTS_ARE_THE_WALLET = Invariant(
    2,
    "the lots add up to the wallet, and each lot to what moved through it",
    f"""
with moved as (
    select lot_id,
           coalesce(sum(amount_ucr) filter (where kind = 'grant'), 0) as granted,
           coalesce(sum(amount_ucr) filter (where kind = 'refund'), 0) as refunded,
           coalesce(sum(amount_ucr) filter (where kind = 'expire'), 0) as expired,
           coalesce(sum(amount_ucr) filter (where kind in ('claw', 'settle_owed')), 0) as clawed
    from journal where tenant_id = :tenant_id and lot_id is not null group by lot_id
), used as (
    select p.lot_id,
           coalesce(sum(p.amount_ucr) filter (where h.state = 'pending'), 0) as held,
           sum(p.captured_ucr) as captured
    from hold_parts p join credit_holds h on h.tenant_id = p.tenant_id and h.id = p.hold_id
    where p.tenant_id = :tenant_id group by p.lot_id
)
select 'credit_lots', l.id::text, 'its buckets are not what moved through it'
from credit_lots l
left join moved m on m.lot_id = l.id
left join used u on u.lot_id = l.id
where l.tenant_id = :tenant_id and (
    l.amount_ucr, l.held_ucr, l.spent_ucr, l.expired_ucr, l.clawed_ucr,
    l.available_ucr, l.open)
is distinct from (
    coalesce(m.granted, 0), coalesce(u.held, 0),
    coalesce(u.captured, 0) - coalesce(m.refunded, 0),
    coalesce(m.expired, 0), coalesce(m.clawed, 0),
    coalesce(m.granted, 0) - coalesce(u.held, 0) - coalesce(u.captured, 0)
        + coalesce(m.refunded, 0) - coalesce(m.expired, 0) - coalesce(m.clawed, 0),
    l.available_ucr + l.held_ucr > 0)
union all
select 'wallets', t.tenant_id::text, 'a bucket is not the sum of the lots'' buckets'
from {_WALLET}
cross join (
    select coalesce(sum(amount_ucr), 0) as issued, coalesce(sum(available_ucr), 0) as available,
           coalesce(sum(held_ucr), 0) as held, coalesce(sum(spent_ucr), 0) as spent,
           coalesce(sum(expired_ucr), 0) as expired, coalesce(sum(clawed_ucr), 0) as clawed
    from credit_lots where tenant_id = :tenant_id
) l
where (coalesce(w.issued_ucr, 0), coalesce(w.available_ucr, 0), coalesce(w.held_ucr, 0),
       coalesce(w.spent_ucr, 0), coalesce(w.expired_ucr, 0), coalesce(w.clawed_ucr, 0))
    <> (l.issued, l.available, l.held, l.spent, l.expired, l.clawed)
""",  # noqa: S608
)

PENDING_IS_HELD = Invariant(
    3,
    "pending holds add up to what is held",
    f"""
select 'wallets', t.tenant_id::text, format('held is %s, pending holds are %s', w.held_ucr, h.sum)
from {_WALLET}
cross join (
    select coalesce(sum(amount_ucr), 0) as sum from credit_holds
    where tenant_id = :tenant_id and state = 'pending'
) h
where coalesce(w.held_ucr, 0) <> h.sum
""",  # noqa: S608
)

CAPTURED_IS_SPENT = Invariant(
    4,
    "captures less refunds add up to what is spent",
    f"""
select 'wallets', t.tenant_id::text, format('spent is %s, charges are %s', w.spent_ucr, h.sum)
from {_WALLET}
cross join (
    select coalesce(sum(captured_ucr - refunded_ucr), 0) as sum from credit_holds
    where tenant_id = :tenant_id
) h
where coalesce(w.spent_ucr, 0) <> h.sum
""",  # noqa: S608
)

ONE_CHARGE_PER_JOB = Invariant(
    5,
    "a job has at most one hold that is pending or captured",
    """
select 'credit_holds', string_agg(id::text, ' ' order by id), format('job %s has several', job_id)
from credit_holds where tenant_id = :tenant_id and state <> 'released'
group by job_id having count(*) > 1
""",
)

JOURNAL_GAP_FREE = Invariant(
    6,
    "the journal counts 1, 2, 3 … up to the wallet's number",
    f"""
select 'journal', 'seq ' || seq, 'the row before it is missing'
from (select seq, row_number() over (order by seq) as n, lag(seq, 1, 0::bigint)
          over (order by seq) as previous
      from journal where tenant_id = :tenant_id) j
where seq <> previous + 1
union all
select 'journal', 'seq ' || greatest(j.last, w.seq), 'the wallet and the journal end differently'
from {_WALLET}
cross join (select coalesce(max(seq), 0) as last from journal where tenant_id = :tenant_id) j
where coalesce(w.seq, 0) <> j.last
""",  # noqa: S608
)

JOURNAL_REPLAYS = Invariant(
    7,
    "the journal replays to the wallet, and clawbacks to what is owed",
    f"""
select 'journal', 'seq ' || seq, 'available_after does not follow from the rows before'
from (
    select seq, available_after_ucr, sum(
        case when dst = 'available' then amount_ucr when src = 'available' then -amount_ucr
             else 0 end) over (order by seq) as replayed
    from journal where tenant_id = :tenant_id
) j
where available_after_ucr <> replayed
union all
select 'wallets', t.tenant_id::text, format('%s is %s, the journal says %s', b.bucket, b.amount_ucr,
    b.replayed)
from {_WALLET}
cross join lateral (
    select n.bucket, n.amount_ucr, coalesce((
        -- issued is the outside world: what leaves it is what the tenant was given
        select sum(case
            when n.bucket = 'issued' and j.src = 'issued' then j.amount_ucr
            when j.dst = n.bucket then j.amount_ucr
            when j.src = n.bucket then -j.amount_ucr
            else 0 end)
        from journal j where j.tenant_id = t.tenant_id), 0) as replayed
    from (values ('issued', w.issued_ucr), ('available', w.available_ucr), ('held', w.held_ucr),
                 ('spent', w.spent_ucr), ('expired', w.expired_ucr), ('clawed', w.clawed_ucr)
    ) as n(bucket, amount_ucr)
) b
where coalesce(b.amount_ucr, 0) <> b.replayed
union all
select 'wallets', t.tenant_id::text, 'owed is not what clawbacks left less what was paid'
from {_WALLET}
where coalesce(w.owed_ucr, 0) <> coalesce((
        select sum(amount_ucr - applied_ucr) from credit_ops
        where tenant_id = :tenant_id and kind = 'claw'), 0)
    - coalesce((
        select sum(amount_ucr) from journal
        where tenant_id = :tenant_id and kind = 'settle_owed'), 0)
""",  # noqa: S608
)

HOLDS_OPEN_AND_CLOSE_ONCE = Invariant(
    8,
    "each hold opens once and closes once, as the journal says",
    """
with entries as (
    select hold_id,
           count(*) filter (where kind = 'hold') as opened,
           coalesce(sum(amount_ucr) filter (where kind = 'hold'), 0) as held,
           count(*) filter (where kind = 'capture') as captures,
           coalesce(sum(amount_ucr) filter (where kind = 'capture'), 0) as captured,
           count(*) filter (where kind = 'release') as releases,
           coalesce(sum(amount_ucr) filter (where kind = 'release'), 0) as released,
           jsonb_agg(facts) filter (where kind = 'hold') as opening,
           jsonb_agg(facts) filter (where kind in ('capture', 'release')) as closing,
           max(created_by) filter (where kind = 'hold') as created_by,
           max(request_id) filter (where kind = 'hold') as request_id
    from journal where tenant_id = :tenant_id and hold_id is not null group by hold_id
)
select 'credit_holds', coalesce(h.id, e.hold_id)::text, 'it is not what the journal says'
from (select * from credit_holds where tenant_id = :tenant_id) h
full join entries e on e.hold_id = h.id
where h.id is null or e.hold_id is null
    or e.opened <> 1 or e.held <> h.amount_ucr or e.captured <> h.captured_ucr
    or e.captures <> (h.state = 'captured')::int
    or e.releases > 1 or (h.state = 'released' and e.releases <> 1)
    or e.released <> case when h.state = 'pending' then 0 else h.amount_ucr - h.captured_ucr end
    or e.opening <> jsonb_build_array(jsonb_build_object(
        'job_id', h.job_id, 'price_version_id', h.price_version_id))
    or (e.created_by, e.request_id) is distinct from (h.created_by, h.request_id)
    or (h.state <> 'pending' and e.closing -> 0 is distinct from
        jsonb_build_object('usage', h.usage, 'cost_usd_micro', h.cost_usd_micro))
    or not exists (select from price_versions p where p.id = h.price_version_id)
""",
)

PARTS_ARE_THE_HOLD = Invariant(
    9,
    "a hold's parts add up to the hold",
    """
select 'hold_parts', h.id::text, 'the parts of this hold do not add up to it'
from credit_holds h
left join (
    select hold_id, sum(amount_ucr) as amount, sum(captured_ucr) as captured,
           sum(refunded_ucr) as refunded,
           min(position) <> 1 or max(position) <> count(*) as out_of_order
    from hold_parts where tenant_id = :tenant_id group by hold_id
) p on p.hold_id = h.id
where h.tenant_id = :tenant_id
    and ((coalesce(p.amount, 0), coalesce(p.captured, 0), coalesce(p.refunded, 0))
        <> (h.amount_ucr, h.captured_ucr, h.refunded_ucr) or p.out_of_order)
union all
select 'hold_parts', format('%s/%s', p.hold_id, p.position), 'refunded other than the journal says'
from hold_parts p
left join (
    select hold_id, lot_id, sum(amount_ucr) as refunded from journal
    where tenant_id = :tenant_id and kind = 'refund' group by hold_id, lot_id
) j on j.hold_id = p.hold_id and j.lot_id = p.lot_id
where p.tenant_id = :tenant_id and p.refunded_ucr <> coalesce(j.refunded, 0)
""",
)

REFUNDS_ONCE = Invariant(
    10,
    "refunds stay within the charge, and each operation moved what it says, once",
    """
with moved as (
    select op_id, sum(amount_ucr) as amount, min(kind) as kind, min(facts ->> 'reason') as reason,
           min(hold_id::text) as hold, min(created_by) as created_by, min(request_id) as request_id
    from journal where tenant_id = :tenant_id and op_id is not null group by op_id
)
select 'credit_ops', coalesce(o.id, m.op_id)::text, 'it did not move what it says'
from (select * from credit_ops where tenant_id = :tenant_id) o
full join moved m on m.op_id = o.id
where o.id is null or coalesce(m.amount, 0) <> o.applied_ucr
    or (o.kind = 'refund' and o.applied_ucr <> o.amount_ucr)
    or (m.op_id is not null and (m.kind, m.reason, m.hold, m.created_by, m.request_id)
        is distinct from (o.kind, o.reason, o.hold_id::text, o.created_by, o.request_id))
union all
select 'credit_holds', h.id::text, 'refunded is not the sum of its refunds, or above the charge'
from credit_holds h
left join (
    select hold_id, sum(applied_ucr) as refunded from credit_ops
    where tenant_id = :tenant_id and kind = 'refund' group by hold_id
) o on o.hold_id = h.id
where h.tenant_id = :tenant_id
    and (h.refunded_ucr <> coalesce(o.refunded, 0) or h.refunded_ucr > h.captured_ucr)
""",
)

GRANTS_ONCE = Invariant(
    11,
    "each lot was granted once, on the terms the journal has",
    """
select 'credit_lots', coalesce(l.id, j.lot_id)::text, 'it is not what the journal granted'
from (select c.*, c as lot from credit_lots c where tenant_id = :tenant_id) l
full join (
    select lot_id, count(*) as grants, sum(amount_ucr) as amount, jsonb_agg(facts) as facts,
           max(created_by) as created_by, max(request_id) as request_id
    from journal where tenant_id = :tenant_id and kind = 'grant' group by lot_id
) j on j.lot_id = l.id
where l.id is null or j.lot_id is null or j.grants <> 1 or j.amount <> l.amount_ucr
    or j.facts <> jsonb_build_array(credit_lot_facts(l.lot))
    or (j.created_by, j.request_id) is distinct from (l.created_by, l.request_id)
union all
select 'credit_lots', string_agg(id::text, ' ' order by id),
    format('%s %s was granted twice', source, source_ref)
from credit_lots where tenant_id = :tenant_id
group by source, source_ref having count(*) > 1
""",
)

CHAIN_INTACT = Invariant(
    12,
    "the hash chain is intact",
    f"""
select 'journal', 'seq ' || seq, 'its hash does not follow from the row and the hash before'
from (
    select seq, hash, credit_journal_hash(
        lag(j.hash, 1, ''::bytea) over (order by seq), j) as expected
    from journal j where tenant_id = :tenant_id
) chain
where hash <> expected
union all
select 'wallets', t.tenant_id::text, 'head_hash is not the hash of the last journal row'
from {_WALLET}
where coalesce(w.head_hash, '') <> coalesce((
    select hash from journal where tenant_id = :tenant_id order by seq desc limit 1), '')
""",  # noqa: S608
)

DAY_COUNTED = Invariant(
    13,
    "the day and the month that the caps count are what was held and charged in them",
    """
select 'wallets', w.tenant_id::text, 'its day is not one'
from wallets w
where w.tenant_id = :tenant_id and not coalesce(
    w.day_until > w.day_from and w.day_until <= w.day_from + interval '26 hours',
    w.day_from is null and w.day_until is null)
union all
select 'wallets', w.tenant_id::text, format('day_ucr is %s, holds of that day are %s', w.day_ucr,
    h.sum)
from wallets w
cross join lateral (
    select coalesce(sum(case when state = 'pending' then amount_ucr else captured_ucr end), 0)
        as sum
    from credit_holds
    where tenant_id = w.tenant_id and created_at >= w.day_from
) h
where w.tenant_id = :tenant_id and w.day_ucr <> h.sum
union all
select 'wallets', w.tenant_id::text, 'its month is not one'
from wallets w
where w.tenant_id = :tenant_id and not coalesce(
    w.month_until > w.month_from and w.month_until <= w.month_from + interval '32 days',
    w.month_from is null and w.month_until is null)
union all
select 'wallets', w.tenant_id::text, format('month_ucr is %s, holds of that month are %s',
    w.month_ucr, h.sum)
from wallets w
cross join lateral (
    select coalesce(sum(case when state = 'pending' then amount_ucr else captured_ucr end), 0)
        as sum
    from credit_holds
    where tenant_id = w.tenant_id and created_at >= w.month_from
) h
where w.tenant_id = :tenant_id and w.month_ucr <> h.sum
""",
)

INVARIANTS = (
    WALLET_CONSERVED,
    LOTS_ARE_THE_WALLET,
    PENDING_IS_HELD,
    CAPTURED_IS_SPENT,
    ONE_CHARGE_PER_JOB,
    JOURNAL_GAP_FREE,
    JOURNAL_REPLAYS,
    HOLDS_OPEN_AND_CLOSE_ONCE,
    PARTS_ARE_THE_HOLD,
    REFUNDS_ONCE,
    GRANTS_ONCE,
    CHAIN_INTACT,
    DAY_COUNTED,
)
