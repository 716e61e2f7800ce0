-- Check the caller's scope, then take the wallet's row lock: the mutex of the tenant's ledger.
-- Every writer comes through here, so lots and holds need no locks of their own.
-- A SECURITY DEFINER function runs past the caller's row level security, so the check is ours:
-- session_user still names the login, while current_user is the function's owner.
create function credit_lock_wallet(p_tenant_id uuid) returns wallets
language plpgsql
as $$
declare
    v_wallet wallets;
begin
    if p_tenant_id is null or (
        session_user <> 'parley_system'
        and p_tenant_id is distinct from nullif(current_setting('app.tenant_id', true), '')::uuid
    ) then
        raise exception 'the tenant is not in the caller''s scope'
            using errcode = 'insufficient_privilege';
    end if;
    select * into v_wallet from wallets where tenant_id = p_tenant_id for update;
    return v_wallet;
end $$
