"""The cheap verdict before the hand-over to Celery: can this tenant still pay for a reply?

It may be stale, in the tenant's favour only, until the hold, which alone decides.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.ledger import queries


async def verdicts(connection: AsyncConnection, tenant_ids: Iterable[UUID]) -> dict[UUID, bool]:
    """Say for each tenant whether its message may go on, in one lock-free statement.

    True when available + held credits reach today's price of a reply, nothing is owed and
    the wallet is not frozen. A tenant without a wallet, or outside the caller's scope, gets
    False.
    """
    wanted = dict.fromkeys(tenant_ids, False)
    if wanted:
        rows = await connection.execute(queries.VERDICTS, {"tenant_ids": list(wanted)})
        wanted.update({tenant_id: bool(may_pass) for tenant_id, may_pass in rows})
    return wanted
