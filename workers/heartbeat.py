"""A row that says "alive" every few seconds: how /health counts workers without asking Redis."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping

from sqlalchemy import text

from app.core.db.engine import Database

log = logging.getLogger(__name__)

EVERY_S = 5.0

_BEAT = text(
    """
    insert into process_heartbeats (instance, service, figures)
    values (:instance, :service, cast(:figures as jsonb))
    on conflict (instance) do update set beat_at = now(), figures = excluded.figures
    """
)
_GONE = text("delete from process_heartbeats where instance = :instance")


async def beat_for_ever(
    database: Database,
    *,
    service: str,
    instance: str,
    figures: Callable[[], Mapping[str, int]] = dict,
) -> None:
    """Write the heartbeat until cancelled; a database that is away is waited for."""
    while True:
        try:
            async with database.system() as connection:
                values = {"instance": instance, "service": service}
                await connection.execute(_BEAT, {**values, "figures": json.dumps(dict(figures()))})
        except Exception as error:  # noqa: BLE001 - a missed beat is told by its absence
            log.warning("heartbeat missed", extra={"errorType": type(error).__name__})
        await asyncio.sleep(EVERY_S)


async def stop_beating(database: Database, *, instance: str) -> None:
    """Take the row away at a clean stop, so that nobody counts on this process."""
    async with database.system() as connection:
        await connection.execute(_GONE, {"instance": instance})
