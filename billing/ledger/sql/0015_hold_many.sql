-- Hold credits for many jobs of many tenants; wallets are locked in the order of tenant ids.
-- Outcomes: held | exists:<state> | conflict | blocked | insufficient | stopped[:now] |
-- daily_cap | monthly_cap | contact_cap.
create or replace function credit_hold_many(p_items jsonb)
returns table (tenant_id uuid, hold_id uuid, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    v_batch record;
    v_outcomes text[];
begin
    if jsonb_array_length(p_items) > 1000 then
        raise exception 'a batch has at most 1000 items' using errcode = 'program_limit_exceeded';
    elsif jsonb_array_length(p_items) = 1 then
        -- The usual call has one item, and grouping costs as much as holding.
        tenant_id := (p_items -> 0 ->> 'tenant_id')::uuid;
        hold_id := (p_items -> 0 ->> 'hold_id')::uuid;
        v_outcomes := credit_hold_items(tenant_id, p_items);
        outcome := v_outcomes[1];
        return next;
        return;
    end if;
    for v_batch in
        select (i.item ->> 'tenant_id')::uuid as tenant_id, jsonb_agg(i.item order by i.n) as items
        from jsonb_array_elements(p_items) with ordinality as i(item, n)
        group by 1 order by 1
    loop
        v_outcomes := credit_hold_items(v_batch.tenant_id, v_batch.items);
        tenant_id := v_batch.tenant_id;
        for i in 1 .. cardinality(v_outcomes) loop
            hold_id := (v_batch.items -> (i - 1) ->> 'hold_id')::uuid;
            outcome := v_outcomes[i];
            return next;
        end loop;
    end loop;
end $$
