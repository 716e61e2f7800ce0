-- What was held or charged in the last sixty minutes, in micro-credits.
create function credit_burnt(p_tenant_id uuid, p_now timestamptz) returns bigint
language plpgsql
as $$
begin
    return (
        select coalesce(sum(amount_ucr), 0) from credit_minutes
        where tenant_id = p_tenant_id and minute > p_now - interval '1 hour');
end $$
