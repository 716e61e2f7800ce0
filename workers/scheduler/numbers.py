"""Periodic work about numbers: letters about those that are down, figures, phones to ask for."""

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.mail.outbox import Outbox
from app.messaging.contacts import ask_again
from app.messaging.numbers.daily import count_days
from app.messaging.numbers.keeping import watch_numbers

Work = Callable[[AsyncConnection], Awaitable[int]]


def work(settings: Settings) -> list[tuple[str, float, Work]]:
    """Return name, period in seconds and function of each piece."""
    watch = partial(
        watch_numbers,
        outbox=Outbox(settings.keyring()),
        app_url=settings.app_url.rstrip("/"),
        down_s=settings.timings.number_down_s,
    )
    return [
        ("watch_numbers", 60.0, watch),
        ("count_days", 300.0, count_days),
        ("ask_again_for_phones", 300.0, ask_again),
    ]
