-- Set a tenant's caps (null: none); false when it has no wallet. The hour of the auto-stop is
-- counted from the moment that the rule is set, the month from its first day.
create function credit_set_caps(
    p_tenant_id uuid, p_daily_cap_ucr bigint, p_monthly_cap_ucr bigint,
    p_contact_replies_per_day int, p_auto_stop_ucr_per_hour bigint
) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_now timestamptz := clock_timestamp();
begin
    if v_wallet.month_until is null or v_wallet.month_until <= v_now then
        v_wallet := credit_begin_month(v_wallet, v_now);
    end if;
    update wallets set
        monthly_cap_ucr = p_monthly_cap_ucr, month_from = v_wallet.month_from,
        month_until = v_wallet.month_until, month_ucr = v_wallet.month_ucr
    where tenant_id = p_tenant_id;
    return credit_set_caps(
        p_tenant_id, p_daily_cap_ucr, p_contact_replies_per_day, p_auto_stop_ucr_per_hour);
end $$
