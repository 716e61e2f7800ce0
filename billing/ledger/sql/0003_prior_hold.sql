-- What an earlier request of this id or job makes of a hold request; null when there is none.
create function credit_prior_hold(
    p_tenant_id uuid, p_hold_id uuid, p_job_id uuid, p_amount_ucr bigint, p_price_version_id int
) returns text
language plpgsql
as $$
declare
    v_prior credit_holds;
begin
    select * into v_prior from credit_holds where tenant_id = p_tenant_id and id = p_hold_id;
    if found then
        return case when (v_prior.job_id, v_prior.amount_ucr, v_prior.price_version_id)
            is not distinct from (p_job_id, p_amount_ucr, p_price_version_id)
            then 'exists:' || v_prior.state else 'conflict' end;
    end if;
    perform from credit_holds
    where tenant_id = p_tenant_id and job_id = p_job_id and state in ('pending', 'captured');
    return case when found then 'conflict' end;
end $$
