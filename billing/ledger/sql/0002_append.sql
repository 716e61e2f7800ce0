-- Move an amount between two buckets of a wallet in memory and write the journal row of it.
-- The caller holds the wallet's lock and stores the returned wallet once, at its end.
create function credit_append(
    p_wallet wallets, p_kind text, p_amount_ucr bigint, p_key text, p_hold_id uuid, p_lot_id uuid,
    p_op_id uuid, p_facts jsonb, p_created_by text, p_request_id text
) returns wallets
language plpgsql
as $$
declare
    v_row journal;
begin
    case p_kind
        when 'hold' then
            v_row.src := 'available'; v_row.dst := 'held';
            p_wallet.available_ucr := p_wallet.available_ucr - p_amount_ucr;
            p_wallet.held_ucr := p_wallet.held_ucr + p_amount_ucr;
        when 'capture' then
            v_row.src := 'held'; v_row.dst := 'spent';
            p_wallet.held_ucr := p_wallet.held_ucr - p_amount_ucr;
            p_wallet.spent_ucr := p_wallet.spent_ucr + p_amount_ucr;
        when 'release' then
            v_row.src := 'held'; v_row.dst := 'available';
            p_wallet.held_ucr := p_wallet.held_ucr - p_amount_ucr;
            p_wallet.available_ucr := p_wallet.available_ucr + p_amount_ucr;
        when 'grant' then
            v_row.src := 'issued'; v_row.dst := 'available';
            p_wallet.issued_ucr := p_wallet.issued_ucr + p_amount_ucr;
            p_wallet.available_ucr := p_wallet.available_ucr + p_amount_ucr;
        when 'refund' then
            v_row.src := 'spent'; v_row.dst := 'available';
            p_wallet.spent_ucr := p_wallet.spent_ucr - p_amount_ucr;
            p_wallet.available_ucr := p_wallet.available_ucr + p_amount_ucr;
        when 'expire' then
            v_row.src := 'available'; v_row.dst := 'expired';
            p_wallet.available_ucr := p_wallet.available_ucr - p_amount_ucr;
            p_wallet.expired_ucr := p_wallet.expired_ucr + p_amount_ucr;
        when 'claw', 'settle_owed' then
            v_row.src := 'available'; v_row.dst := 'clawed';
            p_wallet.available_ucr := p_wallet.available_ucr - p_amount_ucr;
            p_wallet.clawed_ucr := p_wallet.clawed_ucr + p_amount_ucr;
    end case;
    p_wallet.seq := p_wallet.seq + 1;
    v_row.tenant_id := p_wallet.tenant_id;
    v_row.seq := p_wallet.seq;
    v_row.kind := p_kind;
    v_row.amount_ucr := p_amount_ucr;
    v_row.available_after_ucr := p_wallet.available_ucr;
    v_row.key := p_key;
    v_row.hold_id := p_hold_id;
    v_row.lot_id := p_lot_id;
    v_row.op_id := p_op_id;
    v_row.facts := p_facts;
    v_row.created_by := p_created_by;
    v_row.request_id := p_request_id;
    -- Not now(): a transaction that began earlier may get the lock later.
    v_row.created_at := clock_timestamp();
    v_row.hash := credit_journal_hash(p_wallet.head_hash, v_row);
    p_wallet.head_hash := v_row.hash;
    insert into journal values (v_row.*);
    return p_wallet;
end $$
