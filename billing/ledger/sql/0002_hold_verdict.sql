-- Judge one hold request against what is there, with p_funds_ucr left in usable lots:
-- held (nothing is written yet) | exists:<state> | conflict | blocked | insufficient.
create function credit_hold_verdict(
    p_wallet wallets, p_hold_id uuid, p_job_id uuid, p_amount_ucr bigint,
    p_price_version_id int, p_funds_ucr bigint
) returns text
language plpgsql
as $$
declare
    v_prior credit_holds;
begin
    if p_amount_ucr is null or p_amount_ucr < 0 then
        raise exception 'a hold needs an amount of 0 or more'
            using errcode = 'invalid_parameter_value';
    end if;
    select * into v_prior from credit_holds
    where tenant_id = p_wallet.tenant_id and id = p_hold_id;
    if found then
        return case when (v_prior.job_id, v_prior.amount_ucr, v_prior.price_version_id)
            is not distinct from (p_job_id, p_amount_ucr, p_price_version_id)
            then 'exists:' || v_prior.state else 'conflict' end;
    end if;
    perform from credit_holds
    where tenant_id = p_wallet.tenant_id and job_id = p_job_id
        and state in ('pending', 'captured');
    if found then
        return 'conflict';
    elsif p_wallet.owed_ucr > 0 or p_wallet.frozen_at is not null then
        return 'blocked';
    elsif p_wallet.tenant_id is null or p_amount_ucr > p_funds_ucr then
        return 'insufficient';
    end if;
    perform from price_versions where id = p_price_version_id;
    if not found then
        raise exception 'price version % does not exist', p_price_version_id
            using errcode = 'foreign_key_violation';
    end if;
    return 'held';
end $$
