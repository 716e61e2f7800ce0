-- Take an amount (at most what is available) out of the lots, against the burn order: what
-- would be spent last goes first, and before all others the lot that p_lot_first names.
create function credit_claw_lots(
    p_wallet wallets, p_kind text, p_amount_ucr bigint, p_key text, p_lot_first uuid,
    p_op_id uuid, p_facts jsonb, p_created_by text, p_request_id text
) returns wallets
language plpgsql
as $$
declare
    v_lot record;
    v_left bigint := p_amount_ucr;
    v_take bigint;
begin
    for v_lot in
        select id, available_ucr from credit_lots
        where tenant_id = p_wallet.tenant_id and open and available_ucr > 0
        order by (id is not distinct from p_lot_first) desc, priority desc,
            expires_at desc nulls first, created_at desc, id desc
    loop
        exit when v_left = 0;
        v_take := least(v_left, v_lot.available_ucr);
        update credit_lots set
            available_ucr = available_ucr - v_take,
            clawed_ucr = clawed_ucr + v_take,
            open = available_ucr - v_take + held_ucr > 0
        where tenant_id = p_wallet.tenant_id and id = v_lot.id;
        p_wallet := credit_append(
            p_wallet, p_kind, v_take, p_key || ':' || v_lot.id, null, v_lot.id, p_op_id,
            p_facts, p_created_by, p_request_id);
        v_left := v_left - v_take;
    end loop;
    return p_wallet;
end $$
