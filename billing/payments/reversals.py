"""Money that goes back: refunds and disputes take credits back in proportion.

Both are told as running totals and read again when their event is processed, so an event may
come twice, late or in another order. What the tenant no longer has becomes owed and blocks new
holds. Credits of the payment that expired unused are not asked back. A dispute that is won
returns what it took.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError
from billing.ledger import service as ledger
from billing.ledger.schemas import Clawback, Grant, GrantOutcome, OpOutcome
from billing.payments.money import proportion
from billing.payments.receipts import Payment, lock_by_intent, ref_of
from billing.payments.stripe_api import Object

AUTHOR = "system:stripe"
# An inquiry has not taken any money yet; a prevented or closed one never will.
_NO_MONEY = frozenset({"warning_needs_response", "warning_under_review", "warning_closed"})

_SAVE = text(
    """
    insert into payment_reversals (tenant_id, id, payment_id, kind, provider_ref, amount_minor,
                                   clawed_ucr, state, closed_at)
    values (:tenant_id, :id, :payment_id, :kind, :provider_ref, :amount_minor, :clawed_ucr, :state,
            case when :state <> 'open' then now() end)
    on conflict (tenant_id, id) do update set
        state = excluded.state,
        closed_at = coalesce(payment_reversals.closed_at, excluded.closed_at),
        clawed_ucr = greatest(payment_reversals.clawed_ucr, excluded.clawed_ucr)
    """
)
_FIND = text(
    "select clawed_ucr, state from payment_reversals where tenant_id = :tenant_id and id = :id"
)
_REFUNDED = text(
    """
    select coalesce(sum(amount_minor), 0) as amount_minor,
           coalesce(sum(clawed_ucr), 0) as clawed_ucr
    from payment_reversals
    where tenant_id = :tenant_id and payment_id = :payment_id and kind = 'refund'
    """
)
_LOT = text(
    "select amount_ucr - expired_ucr as kept_ucr from credit_lots"
    " where tenant_id = :tenant_id and id = :lot_id"
)
_CLAWED = text(
    """
    update payments set clawed_ucr = clawed_ucr + :delta_ucr
    where tenant_id = :tenant_id and id = :id
    """
)


@dataclass(frozen=True, slots=True)
class _Reversal:
    """One reversal to be written."""

    payment: Payment
    id: UUID
    kind: str
    provider_ref: str
    amount_minor: int
    state: str


async def apply_refunds(connection: AsyncConnection, charge: Object) -> str | None:
    """Take back what a charge's refunds, all together, are worth (system scope).

    Returns what was done; None when the charge belongs to no payment that is known.
    """
    payment = await _payment_of(connection, charge)
    if payment is None:
        return None
    values = {"tenant_id": payment.tenant_id, "payment_id": payment.id}
    before = (await connection.execute(_REFUNDED, values)).one()
    refunded_minor = int(charge["amount_refunded"])
    if refunded_minor <= before.amount_minor:
        return "refunded before"
    kept_ucr = await _kept_ucr(connection, payment)
    want_ucr = proportion(kept_ucr, refunded_minor, int(charge["amount"])) - before.clawed_ucr
    reversal = _Reversal(
        payment,
        ids.derived_uuid(payment.id, f"refund:{refunded_minor}"),
        "refund",
        f"{charge['id']}:{refunded_minor}",
        refunded_minor - int(before.amount_minor),
        "applied",
    )
    clawed_ucr = await _claw(connection, reversal, want_ucr)
    await _save(connection, reversal, clawed_ucr)
    return "refunded"


async def apply_dispute(connection: AsyncConnection, dispute: Object, charge: Object) -> str | None:
    """Take back what is disputed, or return it when the dispute is won (system scope).

    Returns what was done; None when the charge belongs to no payment that is known.
    """
    payment = await _payment_of(connection, charge)
    if payment is None:
        return None
    status = str(dispute["status"])
    if status in _NO_MONEY or status == "prevented":
        return "an inquiry"
    state = status if status in {"won", "lost"} else "open"
    reversal = _Reversal(
        payment,
        ids.derived_uuid(payment.id, f"dispute:{dispute['id']}"),
        "dispute",
        str(dispute["id"]),
        int(dispute["amount"]),
        state,
    )
    values = {"tenant_id": payment.tenant_id, "id": reversal.id}
    before = (await connection.execute(_FIND, values)).one_or_none()
    clawed_ucr = 0 if before is None else int(before.clawed_ucr)
    if before is not None and before.state in {"won", state}:
        return f"{state} before"
    if state == "won":
        await _give_back(connection, reversal, clawed_ucr)
    elif before is None:
        kept_ucr = await _kept_ucr(connection, payment)
        want_ucr = proportion(kept_ucr, reversal.amount_minor, int(charge["amount"]))
        clawed_ucr = await _claw(connection, reversal, want_ucr)
    await _save(connection, reversal, clawed_ucr)
    return state


async def _payment_of(connection: AsyncConnection, charge: Object) -> Payment | None:
    ref = ref_of(charge.get("payment_intent"))
    return await lock_by_intent(connection, ref) if ref else None


async def _kept_ucr(connection: AsyncConnection, payment: Payment) -> int:
    values = {"tenant_id": payment.tenant_id, "lot_id": payment.lot_id}
    return int(await connection.scalar(_LOT, values) or 0)


async def _claw(connection: AsyncConnection, reversal: _Reversal, want_ucr: int) -> int:
    """Take back, never more in all than the payment brought; returns how much."""
    payment = reversal.payment
    amount_ucr = min(want_ucr, payment.credits_ucr - payment.clawed_ucr)
    if amount_ucr <= 0:
        return 0
    outcome = await ledger.claw(
        connection,
        Clawback(
            tenant_id=payment.tenant_id,
            op_id=reversal.id,
            amount_ucr=amount_ucr,
            lot_id=payment.lot_id,
            reason=f"{reversal.kind} of payment {payment.id}",
            created_by=AUTHOR,
        ),
    )
    if outcome is not OpOutcome.CLAWED:
        raise ConflictError(
            "The ledger refused a %(kind)s: %(outcome)s.", kind=reversal.kind, outcome=outcome
        )
    await _count(connection, payment, amount_ucr)
    return amount_ucr


async def _give_back(connection: AsyncConnection, reversal: _Reversal, clawed_ucr: int) -> None:
    """Return what a dispute took; what it left owed is paid from it first."""
    payment = reversal.payment
    if clawed_ucr <= 0:
        return
    outcome = await ledger.grant(
        connection,
        Grant(
            tenant_id=payment.tenant_id,
            lot_id=ids.derived_uuid(reversal.id, "won"),
            source="correction",
            source_ref=f"dispute:{reversal.provider_ref}:won",
            amount_ucr=clawed_ucr,
            payment_id=payment.id,
            reason=f"dispute of payment {payment.id} was won",
            created_by=AUTHOR,
        ),
    )
    if outcome is not GrantOutcome.GRANTED:
        raise ConflictError(
            "The ledger refused to return a dispute's credits: %(outcome)s.", outcome=outcome
        )
    await _count(connection, payment, -clawed_ucr)


async def _count(connection: AsyncConnection, payment: Payment, delta_ucr: int) -> None:
    values = {"tenant_id": payment.tenant_id, "id": payment.id, "delta_ucr": delta_ucr}
    await connection.execute(_CLAWED, values)


async def _save(connection: AsyncConnection, reversal: _Reversal, clawed_ucr: int) -> None:
    await connection.execute(
        _SAVE,
        {
            "tenant_id": reversal.payment.tenant_id,
            "id": reversal.id,
            "payment_id": reversal.payment.id,
            "kind": reversal.kind,
            "provider_ref": reversal.provider_ref,
            "amount_minor": reversal.amount_minor,
            "clawed_ucr": clawed_ucr,
            "state": reversal.state,
        },
    )
