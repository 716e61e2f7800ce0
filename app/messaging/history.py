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
# Read before anything is stored, because the oldest come last: a span that holds more is halved.
_PAGES_MAX = 20
_CHATS_MAX = 5_000
# Of all spans together: beyond it WAHA does not understand the spans, or the gap is absurd.
_CALLS_MAX = 4_000
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
        until_s: float | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return messages of a span, newest first, as the webhook would carry them.

        Both ends count. Raises ProviderError also where the answer cannot be read.
        """
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
    history: History, access: ChannelAccess, *, since_s: float, now_s: float
) -> AsyncIterator[Listed]:
    """Yield a number's messages from a time on, oldest first, however many there are.

    Stored in that order they are answered in the order in which they were written.

    Raises:
        ProviderError: WAHA cannot be asked, or cannot tell.
    """
    try:
        async for listed in _Listing(history, access).oldest_first(None, since_s, None, now_s):
            yield listed
    except ProviderError as error:
        if error.status_code != _NOT_IMPLEMENTED:
            raise
    else:
        return
    async for chat in _recent_chats(history, access, since_s=since_s):
        async for listed in _Listing(history, access).oldest_first(chat, since_s, None, now_s):
            yield listed


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


class _Listing:
    """One look at a number's past, or at a chat's."""

    def __init__(self, history: History, access: ChannelAccess) -> None:
        self._history = history
        self._access = access
        self._calls = 0

    async def oldest_first(
        self, chat: str | None, since_s: float, until_s: float | None, now_s: float
    ) -> AsyncIterator[Listed]:
        """Yield the messages of a span (``until_s`` None: to the newest), span by span."""
        found: list[Mapping[str, Any]] = []
        end_s = now_s if until_s is None else until_s
        middle_s = int(since_s + (end_s - since_s) / 2)
        can_halve = int(since_s) <= middle_s < int(end_s)
        for number in range(_PAGES_MAX if can_halve else _CALLS_MAX):
            page = await self._page(chat, since_s, until_s, number * _PAGE)
            found += page
            if len(page) < _PAGE:
                yield found[::-1]
                return
        found.clear()
        async for listed in self.oldest_first(chat, since_s, middle_s, now_s):
            yield listed
        async for listed in self.oldest_first(chat, middle_s + 1, until_s, now_s):
            yield listed

    async def _page(
        self, chat: str | None, since_s: float, until_s: float | None, offset: int
    ) -> Listed:
        self._calls += 1
        if self._calls > _CALLS_MAX:
            raise ProviderError("waha", "WAHA's list has no end")
        end = {} if until_s is None else {"until_s": until_s}
        return await self._history.list_messages(
            self._access, since_s=since_s, limit=_PAGE, offset=offset, chat=chat, **end
        )
