"""Periodic work about people: what ends by time is deleted, what must go is erased."""

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.messaging.address_book import importing
from app.messaging.data_rights import enforce_retention
from tenants import account_tokens, business_export, login_sessions, passkeys, phone_codes
from tenants.closing import erase_due

Work = Callable[[AsyncConnection], Awaitable[int]]


async def prune_sign_in(connection: AsyncConnection) -> int:
    """Delete ended sessions, old links, unanswered challenges and old codes."""
    counts = [
        await prune(connection)
        for prune in (
            login_sessions.prune,
            account_tokens.prune,
            passkeys.prune,
            phone_codes.prune,
        )
    ]
    return sum(counts)


async def prune_files(connection: AsyncConnection) -> int:
    """Delete what exports hold after their days, and lists that nobody confirmed."""
    return await business_export.expire(connection) + await importing.prune(connection)


def work(settings: Settings) -> list[tuple[str, float, Work]]:
    """Return name, period in seconds and function of each piece."""
    return [
        ("prune_sign_in", 600.0, prune_sign_in),
        ("enforce_retention", 60.0, enforce_retention),
        ("erase_closed", 60.0, erase_due),
        ("prepare_exports", 1.0, partial(business_export.step, settings=settings)),
        ("prune_files", 600.0, prune_files),
    ]
