"""The nightly proof of every tenant's credits, as a chore of the leading scheduler."""

import logging
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.away import is_away
from app.core.observability.sentry import capture
from app.messaging.charges import PROOF
from billing import proofs
from billing.verify import verify_tenant

log = logging.getLogger(__name__)

EVERY_S = 60.0
TENANTS_A_RUN = 25
"""A run is one transaction, and other chores wait for it."""


class BrokenLedgerError(Exception):
    """A tenant's credits do not add up; ``parley credits verify`` names the rows."""


async def prove_tonight(connection: AsyncConnection) -> int:
    """Prove some of the tenants that have no proof of this night; return how many.

    A tenant whose ledger is broken gets no new holds until somebody has looked: its turns end
    as ``no_credit``, and the operators hear of it.
    """
    due = await proofs.due(connection, tenants_max=TENANTS_A_RUN)
    proved = 0
    for tenant_id in due:
        try:
            async with connection.begin_nested():
                await _prove(connection, tenant_id)
        except Exception as error:
            if is_away(error):
                raise
            # Figures so wrong that they cannot be added up must not keep others unproved.
            extra = {"tenantId": tenant_id, "errorType": type(error).__name__}
            log.error("a ledger cannot be proved", extra=extra)  # noqa: TRY400 - capture has it
            capture(error, tenant_id=tenant_id, final=True)
        else:
            proved += 1
    return proved


async def _prove(connection: AsyncConnection, tenant_id: UUID) -> None:
    proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
    if await proofs.keep(connection, proof) and not proof.holds_true:
        rules = sorted({f.invariant for f in proof.findings})
        log.error("a ledger is broken", extra={"tenantId": tenant_id, "count": len(proof.findings)})
        capture(BrokenLedgerError(f"invariants {rules}"), tenant_id=tenant_id, final=True)
