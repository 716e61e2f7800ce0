-- Take back credits after a charge-back, from the named lot first: what is available at once,
-- the rest becomes owed and blocks holds. Once per op: clawed | exists | conflict | missing.
create function credit_claw(
    p_tenant_id uuid, p_op_id uuid, p_amount_ucr bigint, p_reason text, p_lot_id uuid,
    p_created_by text, p_approved_by text, p_request_id text
) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_op credit_ops;
    v_takes bigint := least(p_amount_ucr, v_wallet.available_ucr);
begin
    if v_wallet.tenant_id is null then
        return 'missing';
    end if;
    select * into v_op from credit_ops where tenant_id = p_tenant_id and id = p_op_id;
    if found then
        return case when (v_op.kind, v_op.lot_id, v_op.amount_ucr)
            is not distinct from ('claw', p_lot_id, p_amount_ucr)
            then 'exists' else 'conflict' end;
    end if;
    insert into credit_ops (
        tenant_id, id, kind, lot_id, amount_ucr, applied_ucr, reason, created_by, approved_by,
        request_id)
    values (
        p_tenant_id, p_op_id, 'claw', p_lot_id, p_amount_ucr, v_takes, p_reason, p_created_by,
        p_approved_by, p_request_id);
    v_wallet := credit_claw_lots(
        v_wallet, 'claw', v_takes, 'claw:' || p_op_id, p_lot_id, p_op_id,
        jsonb_build_object('reason', p_reason), p_created_by, p_request_id);
    v_wallet.owed_ucr := v_wallet.owed_ucr + p_amount_ucr - v_takes;
    perform credit_save_wallet(v_wallet);
    return 'clawed';
end $$
