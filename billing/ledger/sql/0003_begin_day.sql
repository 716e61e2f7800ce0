-- Begin the tenant's calendar day that p_now falls into: its borders, and nothing used yet.
-- A changed time zone counts from the next day on.
create function credit_begin_day(p_wallet wallets, p_now timestamptz) returns wallets
language plpgsql
as $$
declare
    v_zone text;
    v_day date;
begin
    select time_zone into v_zone from tenants where id = p_wallet.tenant_id;
    if found then
        v_day := (p_now at time zone v_zone)::date;
        -- Where clocks go forward at midnight, two days may share a border.
        p_wallet.day_from := greatest(v_day::timestamp at time zone v_zone, p_wallet.day_until);
        p_wallet.day_until := (v_day + 1)::timestamp at time zone v_zone;
        p_wallet.day_ucr := 0;
    end if;
    return p_wallet;
end $$
