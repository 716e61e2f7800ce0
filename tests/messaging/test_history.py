"""A number's past comes oldest first, whether or not its engine can list all chats at once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.messaging.history import recent_messages

pytestmark = pytest.mark.anyio

ACCESS = ChannelAccess(
    channel_id=UUID(int=1),
    api_url="http://waha.invalid",
    api_key="key",
    session="desk",
    guarded=False,
    engine="WEBJS",
    engine_version="2026.7.1",
)


class Waha:
    """Lists what it was given, newest first, as WAHA does."""

    def __init__(self, chats: Mapping[str, int], *, status: int | None = None) -> None:
        self.chats = chats
        self.status = status
        self.asked: list[str] = []

    async def list_messages(
        self,
        access: ChannelAccess,
        *,
        since_s: float,
        limit: int,
        offset: int,
        chat: str | None = None,
    ) -> list[Mapping[str, Any]]:
        del access, since_s
        if chat is None and self.status is not None:
            raise ProviderError("waha", "cannot", status_code=self.status)
        self.asked.append(chat or "all")
        chosen = [chat] if chat else list(self.chats)
        found = [{"id": f"{name}:{n}"} for name in chosen for n in range(self.chats[name])]
        return list(reversed(found))[offset : offset + limit]

    async def list_chats(
        self, access: ChannelAccess, *, since_s: float, limit: int, offset: int
    ) -> list[tuple[str, bool]]:
        del access, since_s
        return [(name, count > 0) for name, count in self.chats.items()][offset : offset + limit]

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        del access, lid
        return None


async def listed(waha: Waha) -> list[list[str]]:
    return [[m["id"] for m in batch] async for batch in recent_messages(waha, ACCESS, since_s=0)]


async def test_all_chats_come_in_one_piece_oldest_first():
    waha = Waha({"1@c.us": 250})
    (batch,) = await listed(waha)
    assert batch == [f"1@c.us:{n}" for n in range(250)]
    assert waha.asked == ["all"] * 3


async def test_an_engine_that_cannot_list_all_is_asked_chat_by_chat():
    waha = Waha({"1@c.us": 2, "9@g.us": 3, "2@lid": 101, "3@c.us": 0, "4@c.us": 0}, status=501)
    first, second = await listed(waha)
    assert first == ["1@c.us:0", "1@c.us:1"]
    assert second == [f"2@lid:{n}" for n in range(101)]
    assert waha.asked == ["1@c.us", "2@lid", "2@lid"], "groups and silent chats are left alone"


async def test_many_chats_are_read_page_by_page_until_one_was_silent():
    chats = {f"{n}@c.us": 1 for n in range(150)} | {f"{n}@lid": 0 for n in range(100)}
    assert len(await listed(Waha(chats, status=501))) == 150


async def test_a_waha_that_is_away_is_an_error():
    with pytest.raises(ProviderError):
        await listed(Waha({}, status=500))
