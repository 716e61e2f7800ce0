-- Issue credits as a new lot, once per (source, source_ref): granted | exists | conflict.
create function credit_grant(
    p_tenant_id uuid, p_lot_id uuid, p_source text, p_source_ref text, p_amount_ucr bigint,
    p_priority int, p_effective_at timestamptz, p_expires_at timestamptz, p_payment_id uuid,
    p_unit_price_minor bigint, p_currency text, p_reason text, p_created_by text,
    p_approved_by text, p_request_id text
) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_made boolean := credit_open(p_tenant_id);
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_lot credit_lots;
begin
    select * into v_lot from credit_lots
    where tenant_id = p_tenant_id and (
        (source = p_source and source_ref = p_source_ref) or id = p_lot_id)
    order by (source = p_source and source_ref = p_source_ref) desc limit 1;
    if found then
        return case when
            (v_lot.source, v_lot.source_ref, v_lot.amount_ucr, v_lot.priority, v_lot.expires_at,
                v_lot.payment_id, v_lot.unit_price_minor, v_lot.currency)
            is not distinct from
            (p_source, p_source_ref, p_amount_ucr, p_priority, p_expires_at,
                p_payment_id, p_unit_price_minor, p_currency)
            then 'exists' else 'conflict' end;
    end if;
    insert into credit_lots (
        tenant_id, id, source, source_ref, priority, amount_ucr, available_ucr, effective_at,
        expires_at, payment_id, unit_price_minor, currency, reason, created_by, approved_by,
        request_id)
    values (
        p_tenant_id, p_lot_id, p_source, p_source_ref, p_priority, p_amount_ucr, p_amount_ucr,
        coalesce(p_effective_at, now()), p_expires_at, p_payment_id, p_unit_price_minor,
        p_currency, p_reason, p_created_by, p_approved_by, p_request_id)
    returning * into v_lot;
    v_wallet := credit_append(
        v_wallet, 'grant', p_amount_ucr, 'grant:' || p_lot_id, null, p_lot_id, null,
        credit_lot_facts(v_lot), p_created_by, p_request_id);
    v_wallet := credit_pay_owed(v_wallet, 'grant:' || p_lot_id);
    perform credit_save_wallet(v_wallet);
    return 'granted';
end $$
