"""Periodic work of the desk: what ends by time, letters to people, proof and news that wait."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import live
from app.core.config import Settings
from app.core.mail.outbox import Outbox
from app.messaging.handover_letters import HandoverLetters
from app.messaging.sends.evidence import settle_proven
from app.messaging.waking import wake_conversations

Work = Callable[[AsyncConnection], Awaitable[int]]


def work(settings: Settings) -> list[tuple[str, float, Work]]:
    """Return name, period in seconds and function of each piece."""
    sweep_s = settings.timings.sweep_s
    letters = HandoverLetters(Outbox(settings.keyring()), settings.app_url)
    return [
        ("wake_conversations", sweep_s * 2, wake_conversations),
        ("write_to_people", sweep_s, letters.write_due),
        ("settle_proven", sweep_s * 2, settle_proven),
        ("trim_changes", 600.0, live.trim),
    ]
