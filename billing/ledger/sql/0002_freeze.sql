-- Stop new holds of a tenant (a reason) or allow them again (null); false when it has no wallet.
create function credit_freeze(p_tenant_id uuid, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
begin
    update wallets set
        frozen_at = case when p_reason is not null then coalesce(v_wallet.frozen_at, now()) end,
        frozen_reason = p_reason
    where tenant_id = p_tenant_id;
    return found;
end $$
