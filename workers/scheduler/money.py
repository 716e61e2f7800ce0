"""Periodic work around money: plans' periods, expiring credits, notices, old mails and events."""

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.mail import blocks
from app.core.mail.outbox import Outbox
from billing import charge_days
from billing.ledger import service as ledger
from billing.notices.letters import Notices
from billing.notices.watching import watch_balances, watch_caps, watch_expiries, watch_stops
from billing.payments.auto_top_up import begin_due
from billing.payments.events import prune as prune_stripe_events
from billing.payments.periods import roll_periods

Work = Callable[[AsyncConnection], Awaitable[int]]

PERIODS_EVERY_S = 60.0
EXPIRE_EVERY_S = 60.0
BALANCES_EVERY_S = 60.0
AUTO_TOP_UPS_EVERY_S = 15.0
EXPIRIES_EVERY_S = 900.0
PRUNE_EVERY_S = 3600.0
_BATCH = 200

_EXPIRED = text(
    """
    select distinct tenant_id from credit_lots
    where open and available_ucr > 0 and expires_at <= now() order by tenant_id limit :batch_max
    """
)
# Longer than the longest notice, whose key says that it was sent.
_PRUNE = text("delete from mails where state <> 'queued' and ended_at < now() - interval '90 days'")


async def expire_credits(connection: AsyncConnection) -> int:
    """Expire what is left in lots whose time is over; returns how many tenants that met."""
    found: list[UUID] = [
        row.tenant_id for row in await connection.execute(_EXPIRED, {"batch_max": _BATCH})
    ]
    for tenant_id in found:
        await ledger.expire(connection, tenant_id)
    return len(found)


async def prune_mails(connection: AsyncConnection) -> int:
    """Delete mails (their content is long gone) that ended a while ago."""
    return int((await connection.execute(_PRUNE)).rowcount)


def work(settings: Settings) -> list[tuple[str, float, Work]]:
    """Name, period in seconds and work of each chore."""
    notices = Notices(Outbox(settings.keyring()), settings.app_url)
    return [
        ("roll_periods", PERIODS_EVERY_S, roll_periods),
        ("expire_credits", EXPIRE_EVERY_S, expire_credits),
        ("add_up_charges", charge_days.EVERY_S, charge_days.add_up),
        ("watch_balances", BALANCES_EVERY_S, partial(watch_balances, notices=notices)),
        ("watch_caps", BALANCES_EVERY_S, partial(watch_caps, notices=notices)),
        ("begin_auto_top_ups", AUTO_TOP_UPS_EVERY_S, partial(begin_due, notices=notices)),
        ("watch_expiries", EXPIRIES_EVERY_S, partial(watch_expiries, notices=notices)),
        ("watch_stops", BALANCES_EVERY_S, partial(watch_stops, notices=notices)),
        ("prune_mails", PRUNE_EVERY_S, prune_mails),
        ("prune_mail_blocks", PRUNE_EVERY_S, blocks.prune),
        ("prune_stripe_events", PRUNE_EVERY_S, prune_stripe_events),
    ]
