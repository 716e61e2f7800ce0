"""What WAHA tells of the past: the recent messages of a number, whichever way its engine lists.

NOWEB and GOWS list all chats at once. WEBJS and WPP answer that with 501: there the chats that
were talked in since are listed first, and then each by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError

Listed = Sequence[Mapping[str, Any]]

_PAGE = 100
_PAGES_MAX = 20
_CHATS_MAX = 500
_NOT_IMPLEMENTED = 501
_DIRECT = ("@c.us", "@lid")


class History(Protocol):
    """What a channel can tell of the past."""

    async def list_messages(
        self,
        access: ChannelAccess,
        *,
        since_s: float,
        limit: int,
        offset: int,
        chat: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return messages from a time on, newest first, as the webhook would carry them."""
        ...

    async def list_chats(
        self, access: ChannelAccess, *, since_s: float, limit: int, offset: int
    ) -> list[tuple[str, bool]]:
        """Return a page of chats, the latest first, and whether each was talked in since then."""
        ...

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        """Return the phone address behind a hidden number, when WAHA knows it."""
        ...


async def recent_messages(
    history: History, access: ChannelAccess, *, since_s: float
) -> AsyncIterator[Listed]:
    """Yield a number's messages from a time on, oldest first, all of a chat's in one piece.

    Stored in that order they are answered in the order in which they were written.

    Raises:
        ProviderError: WAHA cannot be asked, or cannot tell.
    """
    try:
        yield await _oldest_first(history, access, since_s=since_s, chat=None)
    except ProviderError as error:
        if error.status_code != _NOT_IMPLEMENTED:
            raise
    else:
        return
    async for chat in _recent_chats(history, access, since_s=since_s):
        yield await _oldest_first(history, access, since_s=since_s, chat=chat)


async def _recent_chats(
    history: History, access: ChannelAccess, *, since_s: float
) -> AsyncIterator[str]:
    for offset in range(0, _CHATS_MAX, _PAGE):
        chats = await history.list_chats(access, since_s=since_s, limit=_PAGE, offset=offset)
        for chat, recent in chats:
            if recent and chat.endswith(_DIRECT):
                yield chat
        # The latest come first: behind a chat that was silent all are.
        if len(chats) < _PAGE or not all(recent for _, recent in chats):
            return


async def _oldest_first(
    history: History, access: ChannelAccess, *, since_s: float, chat: str | None
) -> Listed:
    found: list[Mapping[str, Any]] = []
    for number in range(_PAGES_MAX):
        page = await history.list_messages(
            access, since_s=since_s, limit=_PAGE, offset=number * _PAGE, chat=chat
        )
        found += page
        if len(page) < _PAGE:
            break
    return found[::-1]
