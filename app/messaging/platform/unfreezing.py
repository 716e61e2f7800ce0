"""Letting a business use its credits again that a proof froze: only when everything is proved."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError
from app.messaging.charges import PROOF
from billing.ledger import service
from billing.verify import Proof, verify_tenant
from tenants.service import Actor, record


async def unfreeze(
    connection: AsyncConnection, tenant_id: UUID, *, actor: Actor, reason: str
) -> Proof:
    """Prove a business's credits again and free them (system scope).

    A broken proof changes nothing. Returns the proof; whether it ``holds_true`` says what happened.

    Raises:
        ConflictError: the credits are not frozen.
    """
    proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
    if not proof.balance.frozen:
        raise ConflictError("The credits of this business are not frozen.")
    if proof.holds_true:
        await service.freeze(connection, tenant_id, None)
        await record(
            connection,
            tenant_id,
            actor,
            action="credits.unfreeze",
            subject=str(tenant_id),
            reason=reason,
        )
    return proof
