-- Set a tenant's caps (null: none); false when it has no wallet. The hour of the auto-stop is
-- counted from the moment that the rule is set.
create function credit_set_caps(
    p_tenant_id uuid, p_daily_cap_ucr bigint, p_contact_replies_per_day int,
    p_auto_stop_ucr_per_hour bigint
) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
begin
    if v_wallet.auto_stop_ucr_per_hour is null then
        update credit_minutes set amount_ucr = 0 where tenant_id = p_tenant_id;
    end if;
    update wallets set
        daily_cap_ucr = p_daily_cap_ucr, contact_replies_per_day = p_contact_replies_per_day,
        auto_stop_ucr_per_hour = p_auto_stop_ucr_per_hour
    where tenant_id = p_tenant_id;
    return found;
end $$
