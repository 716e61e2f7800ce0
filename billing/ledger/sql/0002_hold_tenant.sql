-- Hold one tenant's items of a batch: one wallet lock, one update of the wallet and of each lot.
create function credit_hold_tenant(p_tenant_id uuid, p_items jsonb)
returns table (hold_id uuid, outcome text)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_demand numeric;
    v_funds bigint := 0;
    v_lot_ids uuid[] := '{}';
    v_lot_left bigint[] := '{}';
    v_lot_taken bigint[] := '{}';
    v_at int := 1;
    v_seq bigint := v_wallet.seq;
    v_lot record;
    v_item record;
    v_left bigint;
    v_take bigint;
    v_position int;
begin
    select coalesce(sum(i.amount_ucr), 0) into v_demand
    from jsonb_to_recordset(p_items) as i(amount_ucr bigint);
    for v_lot in
        select id, available_ucr from credit_lots
        where tenant_id = p_tenant_id and open and available_ucr > 0 and effective_at <= now()
            and (expires_at is null or expires_at > now())
        order by priority, expires_at, created_at, id
    loop
        exit when v_funds >= v_demand;
        v_lot_ids := v_lot_ids || v_lot.id;
        v_lot_left := v_lot_left || v_lot.available_ucr;
        v_lot_taken := v_lot_taken || 0::bigint;
        v_funds := v_funds + v_lot.available_ucr;
    end loop;

    for v_item in
        select * from jsonb_to_recordset(p_items) as i(
            hold_id uuid, job_id uuid, amount_ucr bigint, price_version_id int,
            created_by text, request_id text)
    loop
        hold_id := v_item.hold_id;
        outcome := credit_hold_verdict(
            v_wallet, v_item.hold_id, v_item.job_id, v_item.amount_ucr, v_item.price_version_id,
            v_funds);
        if outcome <> 'held' then
            return next;
            continue;
        end if;

        insert into credit_holds (
            tenant_id, id, job_id, amount_ucr, price_version_id, created_by, request_id)
        values (
            p_tenant_id, v_item.hold_id, v_item.job_id, v_item.amount_ucr,
            v_item.price_version_id, v_item.created_by, v_item.request_id);
        v_left := v_item.amount_ucr;
        v_position := 0;
        while v_left > 0 loop
            v_take := least(v_left, v_lot_left[v_at]);
            if v_take = 0 then
                v_at := v_at + 1;
                continue;
            end if;
            v_position := v_position + 1;
            insert into hold_parts (tenant_id, hold_id, position, lot_id, amount_ucr)
            values (p_tenant_id, v_item.hold_id, v_position, v_lot_ids[v_at], v_take);
            v_lot_left[v_at] := v_lot_left[v_at] - v_take;
            v_lot_taken[v_at] := v_lot_taken[v_at] + v_take;
            v_left := v_left - v_take;
        end loop;
        v_funds := v_funds - v_item.amount_ucr;
        v_wallet := credit_append(
            v_wallet, 'hold', v_item.amount_ucr, 'hold:' || v_item.hold_id, v_item.hold_id, null,
            null, jsonb_build_object(
                'job_id', v_item.job_id, 'price_version_id', v_item.price_version_id),
            v_item.created_by, v_item.request_id);
        return next;
    end loop;

    if v_wallet.seq > v_seq then
        for i in 1 .. cardinality(v_lot_ids) loop
            update credit_lots set
                available_ucr = available_ucr - v_lot_taken[i], held_ucr = held_ucr + v_lot_taken[i]
            where tenant_id = p_tenant_id and id = v_lot_ids[i] and v_lot_taken[i] > 0;
        end loop;
        perform credit_save_wallet(v_wallet);
    end if;
end $$
