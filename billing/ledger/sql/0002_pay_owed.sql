-- Whatever becomes available pays first what a charge-back left owed; p_cause names the
-- movement that brought it. So nobody is ever owed to while credits are available.
create function credit_pay_owed(p_wallet wallets, p_cause text) returns wallets
language plpgsql
as $$
declare
    v_pays bigint := least(p_wallet.owed_ucr, p_wallet.available_ucr);
begin
    if v_pays > 0 then
        p_wallet := credit_claw_lots(
            p_wallet, 'settle_owed', v_pays, 'owed:' || p_cause, null, null,
            jsonb_build_object('cause', p_cause), null, null);
        p_wallet.owed_ucr := p_wallet.owed_ucr - v_pays;
    end if;
    return p_wallet;
end $$
