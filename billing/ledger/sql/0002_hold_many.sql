-- Hold credits for many jobs of many tenants; wallets are locked in the order of tenant ids.
-- Outcomes: held | exists:<state> | conflict | blocked | insufficient.
create function credit_hold_many(p_items jsonb)
returns table (tenant_id uuid, hold_id uuid, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    v_batch record;
begin
    if jsonb_array_length(p_items) > 1000 then
        raise exception 'a batch has at most 1000 items' using errcode = 'program_limit_exceeded';
    end if;
    for v_batch in
        select (i.item ->> 'tenant_id')::uuid as tenant_id, jsonb_agg(i.item order by i.n) as items
        from jsonb_array_elements(p_items) with ordinality as i(item, n)
        group by 1 order by 1
    loop
        return query
            select v_batch.tenant_id, r.hold_id, r.outcome
            from credit_hold_tenant(v_batch.tenant_id, v_batch.items) r;
    end loop;
end $$
