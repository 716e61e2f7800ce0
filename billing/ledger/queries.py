"""The ledger's statements: one server call each, all writes through its own functions."""

from typing import Final

from sqlalchemy import TextClause, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import TextualSelect

OPEN: Final[TextClause] = text("select credit_open(:tenant_id)")

GRANT: Final[TextClause] = text("""
select credit_grant(
    :tenant_id, :lot_id, :source, :source_ref, :amount_ucr, :priority, :effective_at,
    :expires_at, :payment_id, :unit_price_minor, :currency, :reason, :created_by,
    :approved_by, :request_id)
""")

HOLD_MANY: Final[TextClause] = text(
    "select tenant_id, hold_id, outcome from credit_hold_many(cast(:items as jsonb))"
)

CLOSE_MANY: Final[TextClause] = text(
    "select tenant_id, hold_id, outcome from credit_close_many(cast(:items as jsonb))"
)

REFUND: Final[TextClause] = text("""
select credit_refund(
    :tenant_id, :op_id, :hold_id, :amount_ucr, :reason, :created_by, :approved_by, :request_id)
""")

CLAW: Final[TextClause] = text("""
select credit_claw(
    :tenant_id, :op_id, :amount_ucr, :reason, :lot_id, :created_by, :approved_by, :request_id)
""")

EXPIRE: Final[TextClause] = text("select credit_expire(:tenant_id)")

FREEZE: Final[TextClause] = text("select credit_freeze(:tenant_id, :reason)")

BALANCE: Final[TextClause] = text("""
select tenant_id, issued_ucr, available_ucr, held_ucr, spent_ucr, expired_ucr, clawed_ucr,
       owed_ucr, frozen_at is not null as frozen
from wallets where tenant_id = :tenant_id
""")

# In the tenant's favour: what is held may be released yet. Reads one row a tenant, no lock.
VERDICTS: Final[TextClause] = text("""
select w.tenant_id,
       w.owed_ucr = 0 and w.frozen_at is null and w.available_ucr + w.held_ucr >= p.minimum_ucr
           as may_pass
from wallets w
cross join (
    select coalesce(max(per_reply_ucr), 0) as minimum_ucr from price_versions
    where valid_from <= now() and (valid_until is null or valid_until > now())
) p
where w.tenant_id = any(:tenant_ids)
""")


def prices(condition: str) -> TextualSelect:
    """Select versions of the price list that meet a condition (SQL of ours)."""
    columns = (
        "id, valid_from, valid_until, per_reply_ucr, per_1k_tokens, per_audio_minute_ucr,"
        " per_page_ucr, provider_prices"
    )
    return text(f"select {columns} from price_versions where {condition}").columns(  # noqa: S608
        column("id"),
        column("valid_from"),
        column("valid_until"),
        column("per_reply_ucr"),
        column("per_1k_tokens", JSONB),
        column("per_audio_minute_ucr"),
        column("per_page_ucr"),
        column("provider_prices", JSONB),
    )


CURRENT_PRICES: Final[TextualSelect] = prices(
    "valid_from <= now() and (valid_until is null or valid_until > now())"
)

PRICES_BY_ID: Final[TextualSelect] = prices("id = :id")
