-- Store a wallet that was changed in memory under its lock; the CHECKs judge it here.
create function credit_save_wallet(p_wallet wallets) returns void
language plpgsql
as $$
begin
    update wallets set
        seq = p_wallet.seq, head_hash = p_wallet.head_hash, issued_ucr = p_wallet.issued_ucr,
        available_ucr = p_wallet.available_ucr, held_ucr = p_wallet.held_ucr,
        spent_ucr = p_wallet.spent_ucr, expired_ucr = p_wallet.expired_ucr,
        clawed_ucr = p_wallet.clawed_ucr, owed_ucr = p_wallet.owed_ucr
    where tenant_id = p_wallet.tenant_id;
end $$
