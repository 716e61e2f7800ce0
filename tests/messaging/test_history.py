"""A number's past comes oldest first, whether or not its engine can list all chats at once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.messaging import history
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
    """Lists what it was given, newest first, as WAHA does: a message a second from 0 on."""

    def __init__(
        self, chats: Mapping[str, int], *, status: int | None = None, knows_spans: bool = True
    ) -> None:
        self.chats = chats
        self.status = status
        self.knows_spans = knows_spans
        self.asked: list[str] = []

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
        del access
        if not self.knows_spans:
            since_s, until_s = 0, None
        if chat is None and self.status is not None:
            raise ProviderError("waha", "cannot", status_code=self.status)
        self.asked.append(chat or "all")
        chosen = [chat] if chat else list(self.chats)
        found = [{"id": f"{name}:{n}"} for name in chosen for n in range(self._end(name, until_s))]
        found = [m for m in found if int(m["id"].rpartition(":")[2]) >= since_s]
        return list(reversed(found))[offset : offset + limit]

    def _end(self, name: str, until_s: float | None) -> int:
        count = self.chats[name]
        return count if until_s is None else min(count, int(until_s) + 1)

    async def list_chats(
        self, access: ChannelAccess, *, since_s: float, limit: int, offset: int
    ) -> list[tuple[str, bool]]:
        del access, since_s
        return [(name, count > 0) for name, count in self.chats.items()][offset : offset + limit]

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        del access, lid
        return None


async def listed(waha: Waha, *, now_s: float = 1e9) -> list[list[str]]:
    found = recent_messages(waha, ACCESS, since_s=0, now_s=now_s)
    return [[m["id"] for m in batch] async for batch in found]


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


@pytest.mark.parametrize("status", [None, 501])
async def test_a_gap_of_any_length_is_read_whole_and_oldest_first(
    status: int | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(history, "_PAGES_MAX", 2)
    batches = await listed(Waha({"1@c.us": 1234}, status=status), now_s=1000)
    assert [m for batch in batches for m in batch] == [f"1@c.us:{n}" for n in range(1234)]
    assert max(len(batch) for batch in batches) < 300


async def test_many_messages_of_one_second_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "_PAGES_MAX", 2)
    (batch,) = await listed(Waha({"1@c.us": 450}), now_s=0)
    assert len(batch) == 450


async def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "_PAGES_MAX", 2)
    monkeypatch.setattr(history, "_CALLS_MAX", 30)
    with pytest.raises(ProviderError, match="no end"):
        await listed(Waha({"1@c.us": 1000}, knows_spans=False))
