"""Periodic work about people: what ends by time is deleted, what must go is erased."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from app.messaging.data_rights import enforce_retention
from tenants import account_tokens, login_sessions, passkeys, phone_codes
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


def work() -> list[tuple[str, float, Work]]:
    """Return name, period in seconds and function of each piece."""
    return [
        ("prune_sign_in", 600.0, prune_sign_in),
        ("enforce_retention", 600.0, enforce_retention),
        ("erase_closed", 60.0, erase_due),
    ]
