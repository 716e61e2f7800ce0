-- Expire what is available in lots whose time is over; returns the micro-credits that expired.
-- The key holds the lot's running total: credits released later expire under a key of their own.
create function credit_expire(p_tenant_id uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_before bigint := v_wallet.expired_ucr;
    v_lot record;
begin
    for v_lot in
        select id, available_ucr, expired_ucr from credit_lots
        where tenant_id = p_tenant_id and open and available_ucr > 0 and expires_at <= now()
        order by priority, expires_at, created_at, id
    loop
        update credit_lots set
            available_ucr = 0, expired_ucr = expired_ucr + v_lot.available_ucr, open = held_ucr > 0
        where tenant_id = p_tenant_id and id = v_lot.id;
        v_wallet := credit_append(
            v_wallet, 'expire', v_lot.available_ucr,
            'expire:' || v_lot.id || ':' || v_lot.expired_ucr, null, v_lot.id, null, '{}', null,
            null);
    end loop;
    if v_wallet.expired_ucr > v_before then
        perform credit_save_wallet(v_wallet);
    end if;
    return coalesce(v_wallet.expired_ucr - v_before, 0);
end $$
