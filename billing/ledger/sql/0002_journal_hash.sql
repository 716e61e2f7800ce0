-- The chain: sha256 over the previous hash and the row as one JSON array, times in microseconds.
-- JSON keeps the fields apart whatever text they hold, and does not depend on session settings.
create function credit_journal_hash(p_previous bytea, p_row journal) returns bytea
language sql stable parallel safe
as $$
select pg_catalog.sha256(p_previous || pg_catalog.convert_to(
    pg_catalog.jsonb_build_array(
        p_row.tenant_id, p_row.seq, p_row.kind, p_row.src, p_row.dst, p_row.amount_ucr,
        p_row.available_after_ucr, p_row.key, p_row.hold_id, p_row.lot_id, p_row.op_id,
        p_row.facts, p_row.created_by, p_row.request_id,
        (extract(epoch from p_row.created_at) * 1000000)::pg_catalog.int8
    )::pg_catalog.text, 'UTF8'))
$$
