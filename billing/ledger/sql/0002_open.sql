-- Make a tenant's wallet; false when it has one. SQLSTATE 23503 for an unknown tenant.
create function credit_open(p_tenant_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
begin
    if v_wallet.tenant_id is not null then
        return false;
    end if;
    insert into wallets (tenant_id) values (p_tenant_id) on conflict do nothing;
    return found;
end $$
