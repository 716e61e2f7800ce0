"""The limiter, asked for many turns in one round trip."""

from collections.abc import Sequence

from app.core.limits.types import Check, Verdict
from app.messaging.turns.batches import Outcome
from app.messaging.turns.model import Engine


async def allow(engine: Engine, check: Check) -> Verdict:
    """Take one unit of a limit, together with whoever else asks just now."""
    return await engine.batches.join(_decide_all, engine, None, check)


async def _decide_all(
    engine: Engine, _scope: None, checks: Sequence[Check]
) -> Sequence[Outcome[Verdict]]:
    return await engine.limiter.decide_many([[check] for check in checks])
