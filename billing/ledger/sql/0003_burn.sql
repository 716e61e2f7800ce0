-- Count credits into their minute; sixty rows a tenant that come round every hour.
create function credit_burn(p_tenant_id uuid, p_at timestamptz, p_amount_ucr bigint) returns void
language plpgsql
as $$
begin
    insert into credit_minutes as m (tenant_id, slot, minute, amount_ucr)
    values (p_tenant_id, extract(minute from p_at)::smallint, date_trunc('minute', p_at, 'UTC'),
        p_amount_ucr)
    on conflict (tenant_id, slot) do update set
        minute = excluded.minute,
        amount_ucr = excluded.amount_ucr
            + case when m.minute = excluded.minute then m.amount_ucr else 0 end;
end $$
