-- Whether a contact may get one more reply on the wallet's day. What was released (handed over,
-- superseded, failed) was no reply and does not count. The state is a filter, not a condition:
-- as a condition it lets a plan cached without statistics read the index of live jobs, which is
-- all that the tenant ever held.
create function credit_contact_may(p_wallet wallets, p_contact_id uuid) returns boolean
language plpgsql
as $$
begin
    return (
        select count(*) filter (where state in ('pending', 'captured'))
            < p_wallet.contact_replies_per_day
        from credit_holds
        where tenant_id = p_wallet.tenant_id and contact_id = p_contact_id
            and created_at >= p_wallet.day_from);
end $$
