-- Stop a tenant's assistant (a reason) or let it go on (null), with a new hour counted;
-- false when nothing changed.
create function credit_stop(p_tenant_id uuid, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
begin
    if v_wallet.tenant_id is null or (v_wallet.stopped_at is null) = (p_reason is null) then
        return false;
    end if;
    if p_reason is null then
        update credit_minutes set amount_ucr = 0 where tenant_id = p_tenant_id;
    end if;
    update wallets set
        stopped_at = case when p_reason is not null then clock_timestamp() end,
        stopped_reason = p_reason
    where tenant_id = p_tenant_id;
    return true;
end $$
