"""The keeper's rhythm in a worker: every few seconds, over the numbers that are due."""

import asyncio
import logging

from app.core.db.away import is_away
from app.core.observability.sentry import capture
from app.messaging.numbers.keeping import NumberKeeper

log = logging.getLogger(__name__)


async def keep_for_ever(keeper: NumberKeeper, every_s: float) -> None:
    """Look after numbers until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await keeper.run_once()
        except Exception as error:  # noqa: BLE001 - the next pass tries again
            log.warning("numbers were not looked after", extra={"errorType": type(error).__name__})
            if not is_away(error):
                capture(error)
