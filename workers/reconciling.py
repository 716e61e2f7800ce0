"""The reconciler's rhythm in a worker: a pass every few seconds, over what is due."""

import asyncio
import logging

from app.core.db.away import is_away
from app.core.observability.sentry import capture
from app.messaging.reconcile import Reconciler
from workers.inbox import InboxDrain

log = logging.getLogger(__name__)


async def reconcile_for_ever(reconciler: Reconciler, inbox: InboxDrain, every_s: float) -> None:
    """Run passes until cancelled; what a pass adds is normalised at once."""
    while True:
        await asyncio.sleep(every_s)
        try:
            if await reconciler.run_once():
                await inbox.drain()
        except Exception as error:  # noqa: BLE001 - the next pass tries again
            log.warning("reconciling failed", extra={"errorType": type(error).__name__})
            if not is_away(error):
                capture(error)
