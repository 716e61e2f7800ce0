-- The terms of a grant as the journal keeps them; verify compares the lot with them.
create function credit_lot_facts(p_lot credit_lots) returns jsonb
language sql stable
as $$
select pg_catalog.jsonb_build_object(
    'source', p_lot.source, 'source_ref', p_lot.source_ref, 'priority', p_lot.priority,
    'effective_at_us', (extract(epoch from p_lot.effective_at) * 1000000)::pg_catalog.int8,
    'expires_at_us', (extract(epoch from p_lot.expires_at) * 1000000)::pg_catalog.int8,
    'payment_id', p_lot.payment_id, 'unit_price_minor', p_lot.unit_price_minor,
    'currency', p_lot.currency, 'reason', p_lot.reason, 'approved_by', p_lot.approved_by)
$$
