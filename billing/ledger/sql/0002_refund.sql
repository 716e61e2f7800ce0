-- Give back part or all of a charge, against the burn order, once per op:
-- refunded | exists | conflict | missing | exceeds.
create function credit_refund(
    p_tenant_id uuid, p_op_id uuid, p_hold_id uuid, p_amount_ucr bigint, p_reason text,
    p_created_by text, p_approved_by text, p_request_id text
) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_op credit_ops;
    v_hold credit_holds;
    v_part record;
    v_left bigint := p_amount_ucr;
    v_take bigint;
begin
    select * into v_op from credit_ops where tenant_id = p_tenant_id and id = p_op_id;
    if found then
        return case when (v_op.kind, v_op.hold_id, v_op.amount_ucr)
            is not distinct from ('refund', p_hold_id, p_amount_ucr)
            then 'exists' else 'conflict' end;
    end if;
    select * into v_hold from credit_holds where tenant_id = p_tenant_id and id = p_hold_id;
    if not found then
        return 'missing';
    end if;
    if p_amount_ucr > v_hold.captured_ucr - v_hold.refunded_ucr then
        return 'exceeds';
    end if;
    insert into credit_ops (
        tenant_id, id, kind, hold_id, amount_ucr, applied_ucr, reason, created_by, approved_by,
        request_id)
    values (
        p_tenant_id, p_op_id, 'refund', p_hold_id, p_amount_ucr, p_amount_ucr, p_reason,
        p_created_by, p_approved_by, p_request_id);
    update credit_holds set refunded_ucr = refunded_ucr + p_amount_ucr
    where tenant_id = p_tenant_id and id = p_hold_id;
    for v_part in
        select position, lot_id, captured_ucr - refunded_ucr as left_ucr from hold_parts
        where tenant_id = p_tenant_id and hold_id = p_hold_id and captured_ucr > refunded_ucr
        order by position desc
    loop
        exit when v_left = 0;
        v_take := least(v_left, v_part.left_ucr);
        update hold_parts set refunded_ucr = refunded_ucr + v_take
        where tenant_id = p_tenant_id and hold_id = p_hold_id and position = v_part.position;
        update credit_lots set
            spent_ucr = spent_ucr - v_take, available_ucr = available_ucr + v_take, open = true
        where tenant_id = p_tenant_id and id = v_part.lot_id;
        v_wallet := credit_append(
            v_wallet, 'refund', v_take, 'refund:' || p_op_id || ':' || v_part.lot_id, p_hold_id,
            v_part.lot_id, p_op_id, jsonb_build_object('reason', p_reason), p_created_by,
            p_request_id);
        v_left := v_left - v_take;
    end loop;
    v_wallet := credit_pay_owed(v_wallet, 'refund:' || p_op_id);
    perform credit_save_wallet(v_wallet);
    return 'refunded';
end $$
