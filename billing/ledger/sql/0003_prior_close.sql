-- Why a close changed nothing: exists | closed:<state> | exceeds | missing.
create function credit_prior_close(
    p_tenant_id uuid, p_hold_id uuid, p_captured_ucr bigint, p_delivered boolean
) returns text
language plpgsql
as $$
declare
    v_hold credit_holds;
begin
    select * into v_hold from credit_holds where tenant_id = p_tenant_id and id = p_hold_id;
    return case
        when v_hold.id is null then 'missing'
        when v_hold.state = 'pending' then 'exceeds'
        when v_hold.captured_ucr = p_captured_ucr
            and (v_hold.state = 'captured') = p_delivered then 'exists'
        else 'closed:' || v_hold.state end;
end $$
