-- Close one tenant's items of a batch: charge `captured_ucr`, release the rest, once per hold.
create function credit_close_tenant(p_tenant_id uuid, p_items jsonb)
returns table (hold_id uuid, outcome text)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_seq bigint := v_wallet.seq;
    v_hold_ids uuid[] := '{}';
    v_captured bigint[] := '{}';
    v_item record;
    v_hold credit_holds;
    v_delivered boolean;
    v_rest bigint;
begin
    for v_item in
        select * from jsonb_to_recordset(p_items) as i(
            hold_id uuid, captured_ucr bigint, delivered boolean, usage jsonb,
            cost_usd_micro bigint, created_by text, request_id text)
    loop
        hold_id := v_item.hold_id;
        v_delivered := coalesce(v_item.delivered, v_item.captured_ucr > 0);
        if v_item.captured_ucr is null or v_item.captured_ucr < 0
            or (v_item.captured_ucr > 0 and not v_delivered) then
            raise exception 'a close needs 0 or more captured, and 0 for what was not delivered'
                using errcode = 'invalid_parameter_value';
        end if;
        select * into v_hold from credit_holds h
        where h.tenant_id = p_tenant_id and h.id = v_item.hold_id;
        if not found then
            outcome := 'missing';
        elsif v_hold.state <> 'pending' then
            outcome := case
                when v_hold.captured_ucr = v_item.captured_ucr
                    and (v_hold.state = 'captured') = v_delivered
                then 'exists' else 'closed:' || v_hold.state end;
        elsif v_item.captured_ucr > v_hold.amount_ucr then
            outcome := 'exceeds';
        else
            outcome := case when v_delivered then 'captured' else 'released' end;
        end if;
        if outcome not in ('captured', 'released') then
            return next;
            continue;
        end if;

        update credit_holds h set
            state = outcome, captured_ucr = v_item.captured_ucr, usage = v_item.usage,
            cost_usd_micro = v_item.cost_usd_micro, closed_at = clock_timestamp()
        where h.tenant_id = p_tenant_id and h.id = v_item.hold_id;
        v_hold_ids := v_hold_ids || v_item.hold_id;
        v_captured := v_captured || v_item.captured_ucr;
        v_rest := v_hold.amount_ucr - v_item.captured_ucr;
        if v_delivered then
            v_wallet := credit_append(
                v_wallet, 'capture', v_item.captured_ucr, 'capture:' || v_item.hold_id,
                v_item.hold_id, null, null,
                jsonb_build_object('usage', v_item.usage, 'cost_usd_micro', v_item.cost_usd_micro),
                v_item.created_by, v_item.request_id);
        end if;
        if v_rest > 0 or not v_delivered then
            v_wallet := credit_append(
                v_wallet, 'release', v_rest, 'release:' || v_item.hold_id,
                v_item.hold_id, null, null,
                jsonb_build_object('usage', v_item.usage, 'cost_usd_micro', v_item.cost_usd_micro),
                v_item.created_by, v_item.request_id);
        end if;
        return next;
    end loop;

    if v_wallet.seq > v_seq then
        perform credit_close_parts(p_tenant_id, v_hold_ids, v_captured);
        v_wallet := credit_pay_owed(v_wallet, 'close:' || v_seq);
        perform credit_save_wallet(v_wallet);
    end if;
end $$
