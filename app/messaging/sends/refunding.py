"""Refunds: a reply that was charged, and of which nothing reached the customer after all.

WhatsApp may report an accepted message as failed later. When that is said of every part that
had been accepted, the charge is given back, at most seven days after it. A part whose fate is
unknown does not stand in the way: doubt favours the tenant. A refund is final, also when a
device confirms the message afterwards.
"""

import logging
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.ids import derived_uuid
from billing.ledger.schemas import OpOutcome, Refund
from billing.ledger.service import refund

log = logging.getLogger(__name__)

_REFUND_DAYS_MAX = 7

_UNDELIVERED = text(
    """
    select h.id, h.captured_ucr - h.refunded_ucr as amount_ucr, s.request_id
    from sends s join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id
    where s.tenant_id = :tenant_id and s.id = :id and h.captured_ucr > h.refunded_ucr
      and h.closed_at > now() - make_interval(days => :days_max)
      and not exists (
          select 1 from send_parts p where p.tenant_id = s.tenant_id and p.send_id = s.id
            and p.state not in ('failed', 'unknown'))
    """
)


async def refund_if_undelivered(
    connection: AsyncConnection, tenant_id: UUID, send_id: UUID
) -> None:
    """Refund a reply whose every accepted part the provider later reported as failed."""
    found = (
        await connection.execute(
            _UNDELIVERED,
            {"tenant_id": tenant_id, "id": send_id, "days_max": _REFUND_DAYS_MAX},
        )
    ).one_or_none()
    if found is None:
        return
    outcome = await refund(
        connection,
        Refund(
            tenant_id=tenant_id,
            op_id=derived_uuid(send_id, "undelivered"),
            hold_id=found.id,
            amount_ucr=found.amount_ucr,
            reason="not delivered",
            created_by="system",
            request_id=found.request_id,
        ),
    )
    if outcome not in {OpOutcome.REFUNDED, OpOutcome.EXISTS}:
        log.error("a refund was refused", extra={"sendId": send_id, "outcome": outcome.value})
