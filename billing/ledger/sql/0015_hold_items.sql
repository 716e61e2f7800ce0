-- Hold one tenant's items of a batch; outcomes in the order of the items.
-- One wallet lock, one update of the wallet and of each lot. The insert itself finds a
-- repetition (its unique indexes), so the usual hold looks nothing up beforehand.
create or replace function credit_hold_items(p_tenant_id uuid, p_items jsonb) returns text[]
language plpgsql
as $$
declare
    v_wallet wallets := credit_lock_wallet(p_tenant_id);
    v_now timestamptz := clock_timestamp();
    v_seq bigint := v_wallet.seq;
    v_outcomes text[] := '{}';
    v_outcome text;
    v_item record;
    v_row journal;
    v_price_version_id int;
    v_funds bigint := 0;
    v_more boolean := true;
    v_lots cursor for
        select id, available_ucr from credit_lots
        where tenant_id = p_tenant_id and open and available_ucr > 0 and effective_at <= now()
            and (expires_at is null or expires_at > now())
        order by priority, expires_at, created_at, id;
    v_lot record;
    v_lot_ids uuid[] := '{}';
    v_lot_left bigint[] := '{}';
    v_lot_taken bigint[] := '{}';
    v_at int := 1;
    v_left bigint;
    v_take bigint;
    v_position int;
begin
    if v_wallet.day_until is null or v_wallet.day_until <= v_now then
        v_wallet := credit_begin_day(v_wallet, v_now);
    end if;
    if v_wallet.month_until is null or v_wallet.month_until <= v_now then
        v_wallet := credit_begin_month(v_wallet, v_now);
    end if;
    for v_item in
        select * from jsonb_to_recordset(p_items) as i(
            hold_id uuid, job_id uuid, amount_ucr bigint, price_version_id int,
            contact_id uuid, created_by text, request_id text)
    loop
        if v_item.amount_ucr is null or v_item.amount_ucr < 0 then
            raise exception 'a hold needs an amount of 0 or more'
                using errcode = 'invalid_parameter_value';
        end if;
        if v_funds < v_item.amount_ucr and v_more then
            if v_lots is null then
                open v_lots;
            end if;
            while v_funds < v_item.amount_ucr loop
                fetch v_lots into v_lot;
                v_more := found;
                exit when not found;
                v_lot_ids := v_lot_ids || v_lot.id;
                v_lot_left := v_lot_left || v_lot.available_ucr;
                v_lot_taken := v_lot_taken || 0::bigint;
                v_funds := v_funds + v_lot.available_ucr;
            end loop;
        end if;

        v_outcome := case
            when v_wallet.owed_ucr > 0 or v_wallet.frozen_at is not null then 'blocked'
            when v_wallet.tenant_id is null or v_item.amount_ucr > v_funds then 'insufficient'
            when v_wallet.stopped_at is not null then 'stopped'
            when v_wallet.day_ucr + v_item.amount_ucr > v_wallet.daily_cap_ucr then 'daily_cap'
            when v_wallet.month_ucr + v_item.amount_ucr > v_wallet.monthly_cap_ucr
                then 'monthly_cap'
            when v_item.contact_id is not null
                and not credit_contact_may(v_wallet, v_item.contact_id) then 'contact_cap'
            when v_wallet.auto_stop_ucr_per_hour is not null
                and credit_burnt(p_tenant_id, v_now) + v_item.amount_ucr
                    > v_wallet.auto_stop_ucr_per_hour then 'stopped:now'
            else 'held' end;
        if v_outcome = 'held' then
            if v_item.price_version_id is distinct from v_price_version_id then
                perform from price_versions where id = v_item.price_version_id;
                if not found then
                    v_outcome := 'no_price';
                end if;
                v_price_version_id := v_item.price_version_id;
            end if;
        end if;
        if v_outcome = 'held' then
            insert into credit_holds (
                tenant_id, id, job_id, amount_ucr, price_version_id, contact_id, created_by,
                request_id, created_at)
            values (
                p_tenant_id, v_item.hold_id, v_item.job_id, v_item.amount_ucr,
                v_item.price_version_id, v_item.contact_id, v_item.created_by,
                v_item.request_id, v_now)
            on conflict do nothing;
            if not found then
                v_outcome := 'repeated';
            end if;
        end if;
        if v_outcome <> 'held' then
            -- What was asked before is answered as before, whatever has changed since.
            v_outcome := coalesce(
                credit_prior_hold(p_tenant_id, v_item.hold_id, v_item.job_id, v_item.amount_ucr,
                    v_item.price_version_id),
                v_outcome);
            if v_outcome = 'no_price' then
                raise exception 'price version % does not exist', v_item.price_version_id
                    using errcode = 'foreign_key_violation';
            elsif v_outcome = 'stopped:now' then
                v_wallet.stopped_at := v_now;
                v_wallet.stopped_reason := format(
                    'More than %s credits would have been used within an hour.',
                    trim_scale(v_wallet.auto_stop_ucr_per_hour::numeric / 1000000));
                update wallets set
                    stopped_at = v_wallet.stopped_at, stopped_reason = v_wallet.stopped_reason
                where tenant_id = p_tenant_id;
            end if;
            v_outcomes := v_outcomes || v_outcome;
            continue;
        end if;

        v_left := v_item.amount_ucr;
        v_position := 0;
        while v_left > 0 loop
            v_take := least(v_left, v_lot_left[v_at]);
            if v_take = 0 then
                v_at := v_at + 1;
                continue;
            end if;
            v_position := v_position + 1;
            insert into hold_parts (tenant_id, hold_id, position, lot_id, amount_ucr)
            values (p_tenant_id, v_item.hold_id, v_position, v_lot_ids[v_at], v_take);
            v_lot_left[v_at] := v_lot_left[v_at] - v_take;
            v_lot_taken[v_at] := v_lot_taken[v_at] + v_take;
            v_left := v_left - v_take;
        end loop;
        v_funds := v_funds - v_item.amount_ucr;
        v_wallet.seq := v_wallet.seq + 1;
        v_wallet.available_ucr := v_wallet.available_ucr - v_item.amount_ucr;
        v_wallet.held_ucr := v_wallet.held_ucr + v_item.amount_ucr;
        v_wallet.day_ucr := v_wallet.day_ucr + v_item.amount_ucr;
        v_wallet.month_ucr := v_wallet.month_ucr + v_item.amount_ucr;
        v_row := row(
            p_tenant_id, v_wallet.seq, 'hold', 'available', 'held', v_item.amount_ucr,
            v_wallet.available_ucr, 'hold:' || v_item.hold_id, v_item.hold_id, null, null,
            jsonb_build_object(
                'job_id', v_item.job_id, 'price_version_id', v_item.price_version_id),
            v_item.created_by, v_item.request_id, v_now, null);
        v_row.hash := credit_journal_hash(v_wallet.head_hash, v_row);
        v_wallet.head_hash := v_row.hash;
        insert into journal values (v_row.*);
        if v_wallet.auto_stop_ucr_per_hour is not null then
            perform credit_burn(p_tenant_id, v_now, v_item.amount_ucr);
        end if;
        v_outcomes := v_outcomes || 'held'::text;
    end loop;

    if v_wallet.seq > v_seq then
        for i in 1 .. cardinality(v_lot_ids) loop
            if v_lot_taken[i] > 0 then
                update credit_lots set
                    available_ucr = available_ucr - v_lot_taken[i],
                    held_ucr = held_ucr + v_lot_taken[i]
                where tenant_id = p_tenant_id and id = v_lot_ids[i];
            end if;
        end loop;
        update wallets set
            seq = v_wallet.seq, head_hash = v_wallet.head_hash,
            available_ucr = v_wallet.available_ucr, held_ucr = v_wallet.held_ucr,
            day_from = v_wallet.day_from, day_until = v_wallet.day_until,
            day_ucr = v_wallet.day_ucr, month_from = v_wallet.month_from,
            month_until = v_wallet.month_until, month_ucr = v_wallet.month_ucr
        where tenant_id = p_tenant_id;
    end if;
    if v_lots is not null then
        close v_lots;
    end if;
    return v_outcomes;
end $$
