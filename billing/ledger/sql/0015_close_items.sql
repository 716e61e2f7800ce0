-- Close one tenant's items of a batch: charge `captured_ucr`, release the rest, once per hold.
-- What was captured is shared among the parts in burn order, the rest goes back to the lots. A
-- lot that expired meanwhile is charged all the same; its rest expires at the next run.
-- Loops over primary keys on purpose: as one joined statement, a plan cached without statistics
-- read every part the tenant ever had.
create or replace function credit_close_items(p_tenant_id uuid, p_items jsonb) returns text[]
language plpgsql
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_now timestamptz := clock_timestamp();
    v_seq bigint := v_wallet.seq;
    v_outcomes text[] := '{}';
    v_item record;
    v_hold credit_holds;
    v_row journal;
    v_delivered boolean;
    v_facts jsonb;
    v_rest bigint;
    v_part record;
    v_position int;
    v_unshared bigint;
    v_left bigint;
    v_lot_ids uuid[] := '{}';
    v_lot_held bigint[] := '{}';
    v_lot_captured bigint[] := '{}';
    v_at int;
begin
    for v_item in
        select * from jsonb_to_recordset(p_items) as i(
            hold_id uuid, captured_ucr bigint, delivered boolean, usage jsonb,
            cost_usd_micro bigint, created_by text, request_id text)
    loop
        v_delivered := coalesce(v_item.delivered, v_item.captured_ucr > 0);
        if v_item.captured_ucr is null or v_item.captured_ucr < 0
            or (v_item.captured_ucr > 0 and not v_delivered) then
            raise exception 'a close needs 0 or more captured, and 0 for what was not delivered'
                using errcode = 'invalid_parameter_value';
        end if;
        update credit_holds set
            state = case when v_delivered then 'captured' else 'released' end,
            captured_ucr = v_item.captured_ucr, usage = v_item.usage,
            cost_usd_micro = v_item.cost_usd_micro, closed_at = v_now
        where tenant_id = p_tenant_id and id = v_item.hold_id and closed_at is null
            and amount_ucr >= v_item.captured_ucr
        returning * into v_hold;
        if not found then
            v_outcomes := v_outcomes || credit_prior_close(
                p_tenant_id, v_item.hold_id, v_item.captured_ucr, v_delivered);
            continue;
        end if;

        v_rest := v_hold.amount_ucr - v_item.captured_ucr;
        v_facts := jsonb_build_object(
            'usage', v_item.usage, 'cost_usd_micro', v_item.cost_usd_micro);
        v_wallet.held_ucr := v_wallet.held_ucr - v_hold.amount_ucr;
        if v_delivered then
            v_wallet.seq := v_wallet.seq + 1;
            v_wallet.spent_ucr := v_wallet.spent_ucr + v_item.captured_ucr;
            v_row := row(
                p_tenant_id, v_wallet.seq, 'capture', 'held', 'spent', v_item.captured_ucr,
                v_wallet.available_ucr, 'capture:' || v_item.hold_id, v_item.hold_id, null, null,
                v_facts, v_item.created_by, v_item.request_id, v_now, null);
            v_row.hash := credit_journal_hash(v_wallet.head_hash, v_row);
            v_wallet.head_hash := v_row.hash;
            insert into journal values (v_row.*);
        end if;
        if v_rest > 0 or not v_delivered then
            v_wallet.seq := v_wallet.seq + 1;
            v_wallet.available_ucr := v_wallet.available_ucr + v_rest;
            v_row := row(
                p_tenant_id, v_wallet.seq, 'release', 'held', 'available', v_rest,
                v_wallet.available_ucr, 'release:' || v_item.hold_id, v_item.hold_id, null, null,
                v_facts, v_item.created_by, v_item.request_id, v_now, null);
            v_row.hash := credit_journal_hash(v_wallet.head_hash, v_row);
            v_wallet.head_hash := v_row.hash;
            insert into journal values (v_row.*);
            if v_hold.created_at >= v_wallet.day_from then
                v_wallet.day_ucr := v_wallet.day_ucr - v_rest;
            end if;
            if v_hold.created_at >= v_wallet.month_from then
                v_wallet.month_ucr := v_wallet.month_ucr - v_rest;
            end if;
            if v_wallet.auto_stop_ucr_per_hour is not null then
                update credit_minutes set amount_ucr = greatest(amount_ucr - v_rest, 0)
                where tenant_id = p_tenant_id
                    and slot = extract(minute from v_hold.created_at)::smallint
                    and minute = date_trunc('minute', v_hold.created_at, 'UTC');
            end if;
        end if;

        v_position := 0;
        v_unshared := v_hold.amount_ucr;
        v_left := v_item.captured_ucr;
        while v_unshared > 0 loop
            v_position := v_position + 1;
            if v_left > 0 then
                update hold_parts set captured_ucr = least(amount_ucr, v_left)
                where tenant_id = p_tenant_id and hold_id = v_item.hold_id
                    and position = v_position
                returning lot_id, amount_ucr, captured_ucr into v_part;
            else
                select lot_id, amount_ucr, captured_ucr into v_part from hold_parts
                where tenant_id = p_tenant_id and hold_id = v_item.hold_id
                    and position = v_position;
            end if;
            if not found then
                raise exception 'hold % has parts for less than its amount', v_item.hold_id
                    using errcode = 'data_corrupted', hint = 'Run parley credits verify.';
            end if;
            v_unshared := v_unshared - v_part.amount_ucr;
            v_left := v_left - v_part.captured_ucr;
            v_at := array_position(v_lot_ids, v_part.lot_id);
            if v_at is null then
                v_lot_ids := v_lot_ids || v_part.lot_id;
                v_lot_held := v_lot_held || 0::bigint;
                v_lot_captured := v_lot_captured || 0::bigint;
                v_at := cardinality(v_lot_ids);
            end if;
            v_lot_held[v_at] := v_lot_held[v_at] + v_part.amount_ucr;
            v_lot_captured[v_at] := v_lot_captured[v_at] + v_part.captured_ucr;
        end loop;
        v_outcomes := v_outcomes || v_hold.state;
    end loop;

    if v_wallet.seq > v_seq then
        for i in 1 .. cardinality(v_lot_ids) loop
            update credit_lots set
                held_ucr = held_ucr - v_lot_held[i],
                spent_ucr = spent_ucr + v_lot_captured[i],
                available_ucr = available_ucr + v_lot_held[i] - v_lot_captured[i],
                open = available_ucr + held_ucr - v_lot_captured[i] > 0
            where tenant_id = p_tenant_id and id = v_lot_ids[i];
        end loop;
        if v_wallet.owed_ucr > 0 then
            v_wallet := credit_pay_owed(v_wallet, 'close:' || v_seq);
        end if;
        update wallets set
            seq = v_wallet.seq, head_hash = v_wallet.head_hash,
            available_ucr = v_wallet.available_ucr, held_ucr = v_wallet.held_ucr,
            spent_ucr = v_wallet.spent_ucr, clawed_ucr = v_wallet.clawed_ucr,
            owed_ucr = v_wallet.owed_ucr, day_ucr = v_wallet.day_ucr,
            month_ucr = v_wallet.month_ucr
        where tenant_id = p_tenant_id;
    end if;
    return v_outcomes;
end $$
