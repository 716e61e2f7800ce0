-- Share what was captured among each hold's parts in burn order and give the rest back to the
-- lots. A lot that expired meanwhile is charged all the same; its rest expires at the next run.
-- Loops over primary keys on purpose: as one joined statement, a plan cached without statistics
-- read every part the tenant ever had.
create function credit_close_parts(p_tenant_id uuid, p_hold_ids uuid[], p_captured bigint[])
returns void
language plpgsql
as $$
declare
    v_lot_ids uuid[] := '{}';
    v_lot_held bigint[] := '{}';
    v_lot_captured bigint[] := '{}';
    v_part record;
    v_left bigint;
    v_take bigint;
    v_at int;
begin
    for i in 1 .. cardinality(p_hold_ids) loop
        v_left := p_captured[i];
        for v_part in
            select position, lot_id, amount_ucr from hold_parts
            where tenant_id = p_tenant_id and hold_id = p_hold_ids[i] order by position
        loop
            v_take := least(v_left, v_part.amount_ucr);
            v_left := v_left - v_take;
            if v_take > 0 then
                update hold_parts set captured_ucr = v_take
                where tenant_id = p_tenant_id and hold_id = p_hold_ids[i]
                    and position = v_part.position;
            end if;
            v_at := array_position(v_lot_ids, v_part.lot_id);
            if v_at is null then
                v_lot_ids := v_lot_ids || v_part.lot_id;
                v_lot_held := v_lot_held || 0::bigint;
                v_lot_captured := v_lot_captured || 0::bigint;
                v_at := cardinality(v_lot_ids);
            end if;
            v_lot_held[v_at] := v_lot_held[v_at] + v_part.amount_ucr;
            v_lot_captured[v_at] := v_lot_captured[v_at] + v_take;
        end loop;
    end loop;
    for i in 1 .. cardinality(v_lot_ids) loop
        update credit_lots set
            held_ucr = held_ucr - v_lot_held[i],
            spent_ucr = spent_ucr + v_lot_captured[i],
            available_ucr = available_ucr + v_lot_held[i] - v_lot_captured[i],
            open = available_ucr + held_ucr - v_lot_captured[i] > 0
        where tenant_id = p_tenant_id and id = v_lot_ids[i];
    end loop;
end $$
