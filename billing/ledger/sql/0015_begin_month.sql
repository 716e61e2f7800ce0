-- Begin the tenant's calendar month that p_now falls into, with what it has used already: nothing,
-- since a hold of it would have begun it, but for a wallet that is older than this count; only
-- then all its holds are read. A changed time zone counts from the next month.
create function credit_begin_month(p_wallet wallets, p_now timestamptz) returns wallets
language plpgsql
as $$
declare
    v_zone text;
    v_month timestamp;
    v_uncounted boolean := p_wallet.month_until is null;
begin
    select time_zone into v_zone from tenants where id = p_wallet.tenant_id;
    if found then
        v_month := date_trunc('month', p_now at time zone v_zone);
        -- Where clocks go forward at midnight, two months may share a border.
        p_wallet.month_from := greatest(v_month at time zone v_zone, p_wallet.month_until);
        p_wallet.month_until := (v_month + interval '1 month') at time zone v_zone;
        p_wallet.month_ucr := 0;
        if v_uncounted then
            select coalesce(sum(case state when 'pending' then amount_ucr else captured_ucr end), 0)
            into p_wallet.month_ucr
            from credit_holds
            where tenant_id = p_wallet.tenant_id and created_at >= p_wallet.month_from;
        end if;
    end if;
    return p_wallet;
end $$
