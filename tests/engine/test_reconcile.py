"""Gaps, phones and doubt of several numbers: one's trouble is nobody else's, nothing is skipped."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.core.outbound import OutboundRefused
from app.messaging import reconcile
from app.messaging.reconcile import Reconciler
from tests.engine import events
from tests.engine.bench import Bench, Business

pytestmark = pytest.mark.anyio
PHONE = "15550101"
LID = "77001"


class Past:
    """What each number's WAHA lists; a number may have its own trouble."""

    def __init__(self) -> None:
        self.messages: dict[UUID, list[Mapping[str, Any]]] = {}
        self.trouble: dict[UUID, Exception] = {}
        self.phones: dict[str, str] = {}
        self.asked: list[str] = []

    def _check(self, access: ChannelAccess) -> None:
        if (error := self.trouble.get(access.channel_id)) is not None:
            raise error

    async def list_messages(
        self, access: ChannelAccess, *, offset: int, **_: Any
    ) -> list[Mapping[str, Any]]:
        self._check(access)
        return [] if offset else list(reversed(self.messages.get(access.channel_id, [])))

    async def list_chats(self, access: ChannelAccess, **_: Any) -> list[tuple[str, bool]]:
        del access
        return []

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        self.asked.append(lid)
        self._check(access)
        return self.phones.get(lid)


async def reconciled(bench: Bench, past: Past) -> int:
    await bench.execute("update channels set reconcile_due_at = now(), reconciled_at = null")
    keyring = bench.settings.keyring()
    added = await Reconciler(bench.database.db, past, bench.settings, keyring).run_once()
    await bench.drain()
    return added


async def cursors(bench: Bench) -> dict[UUID, float]:
    rows = await bench.rows(
        "select id, extract(epoch from now() - reconcile_from)::float8 as age_s from channels"
    )
    return {row.id: row.age_s for row in rows}


@pytest.mark.parametrize(
    "trouble",
    [
        ProviderError("waha", "WAHA's answer was lost", ambiguous=True),
        OutboundRefused("address"),
        ValueError("a key that nobody can open"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_number_in_trouble_holds_up_no_other(bench: Bench, trouble: Exception):
    bad, good = await bench.business(), await bench.business()
    await bench.execute("update channels set reconcile_from = now() - interval '1 day'")
    past = Past()
    past.trouble[bad.channel_id] = trouble
    for shop in (bad, good):
        past.messages[shop.channel_id] = [events.message(f"{PHONE}@c.us", "missed")]
    assert await reconciled(bench, past) == 1
    assert await bench.dispositions(good) == {"missed": None}
    ages = await cursors(bench)
    assert ages[good.channel_id] < 60
    assert ages[bad.channel_id] > 86_000, "its gap is still to be read"
    past.trouble.clear()
    await reconciled(bench, past)
    assert await bench.dispositions(bad) == {"missed": None}


async def test_another_phones_past_is_left_alone(bench: Bench):
    shop = await bench.business()
    status = {"status": "WORKING"}
    await bench.hook(shop, "session.status", status)
    await bench.execute("update channels set reconcile_from = now() - interval '30 days'")
    await bench.execute("update channels set own_address = '15559999@c.us'")
    await bench.hook(shop, "session.status", status)
    assert (await cursors(bench))[shop.channel_id] > 2_500_000, "the same phone again"
    await bench.execute("update channels set own_address = '15550000@c.us'")
    await bench.hook(shop, "session.status", status)
    assert (await cursors(bench))[shop.channel_id] < 60


async def test_the_old_phones_late_words_do_not_make_the_number_its_own_again(bench: Bench):
    shop = await bench.business()
    now_ms = time.time_ns() // 1_000_000
    points = [{"status": "WORKING", "timestamp": now_ms}]
    await bench.hook(shop, "session.status", {"status": "WORKING", "statuses": points})
    # Another phone has been paired a moment later, and messages to it were missed since.
    await bench.execute(
        "update channels set own_address = '15550000@c.us', own_name = 'New',"
        " status_ms = status_ms + 60000, reconcile_from = now() - interval '30 days'"
    )
    await bench.write(shop, PHONE, "sent to the old phone, told late")
    assert (await cursors(bench))[shop.channel_id] > 2_500_000
    (row,) = await bench.rows("select own_address, own_name from channels")
    assert tuple(row) == ("15550000@c.us", "New")
    # Whoever is paired next is heard at once.
    await bench.execute("update channels set status_ms = status_ms - 60000")
    await bench.write(shop, PHONE, "sent to a third phone")
    assert (await cursors(bench))[shop.channel_id] < 60


async def hidden(bench: Bench) -> Business:
    shop = await bench.business()
    await bench.hook(shop, "message", events.message(f"{LID}@lid", "hello"))
    return shop


async def test_a_phone_that_waha_does_not_know_yet_is_asked_for_again(bench: Bench):
    shop = await hidden(bench)
    past = Past()
    await reconciled(bench, past)
    await bench.chore("ask_again_for_phones")
    await reconciled(bench, past)
    assert past.asked == [f"{LID}@lid"], "not at once, and not while nobody writes"
    await bench.execute("update contact_addresses set checked_at = now() - interval '11 minutes'")
    await bench.hook(shop, "message", events.message(f"{LID}@lid", "still there?"))
    past.phones[f"{LID}@lid"] = f"{PHONE}@c.us"
    await bench.chore("ask_again_for_phones")
    await reconciled(bench, past)
    assert len(past.asked) == 2
    assert len(await bench.column("select distinct contact_id from contact_addresses")) == 1
    assert await bench.column("select count(*) from contact_addresses") == [2]
    await bench.execute("update contact_addresses set checked_at = now() - interval '11 minutes'")
    await bench.chore("ask_again_for_phones")
    await reconciled(bench, past)
    assert len(past.asked) == 2, "what is known is not asked for"


async def test_a_phone_that_could_not_be_asked_for_is_asked_for_again(bench: Bench):
    shop = await hidden(bench)
    past = Past()
    past.trouble[shop.channel_id] = ProviderError("waha", "WAHA answered 500", status_code=500)
    await reconciled(bench, past)
    await bench.chore("ask_again_for_phones")
    await reconciled(bench, past)
    assert len(past.asked) == 2


async def in_doubt(bench: Bench, shop: Business, *, times: int) -> Past:
    """Replies in the same words that WhatsApp shows and of which nobody here heard again."""
    bench.sender.honours = False
    for _ in range(times):
        bench.sender.lose(500)
        await bench.write(shop, PHONE, "hello")
        await bench.work()
        await bench.age(91)
        await bench.work()
    assert await bench.part_states(shop) == ["unknown"] * times
    past = Past()
    past.messages[shop.channel_id] = [
        events.message(s.chat, s.text, from_me=True, wa_id=s.wa_id, source="api")
        for s in bench.sender.phone
    ]
    return past


async def test_the_same_words_twice_are_two_messages(bench: Bench):
    shop = await bench.business(engine="WEBJS")
    past = await in_doubt(bench, shop, times=2)
    await Reconciler(bench.database.db, past, bench.settings, bench.settings.keyring()).run_once()
    assert await bench.part_states(shop) == ["accepted"] * 2
    ids = await bench.column("select wa_id from send_parts")
    assert sorted(ids) == sorted(s.wa_id for s in bench.sender.phone)
    assert await bench.balance(shop) == (98, 0, 2)


async def test_a_list_that_could_not_be_had_costs_no_check(bench: Bench):
    shop = await bench.business(engine="WEBJS")
    past = await in_doubt(bench, shop, times=1)
    past.trouble[shop.channel_id] = ProviderError("waha", "WAHA answered 500", status_code=500)
    reconciler = Reconciler(bench.database.db, past, bench.settings, bench.settings.keyring())
    for _ in range(8):
        await reconciler.run_once()
        await bench.execute("update send_parts set checked_at = now() - interval '1 minute'")
    past.trouble.clear()
    await reconciler.run_once()
    assert await bench.part_states(shop) == ["accepted"]


async def test_much_doubt_is_looked_up_bit_by_bit(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reconcile, "_READ_BACKS_PER_PASS", 1)
    shop = await bench.business(engine="WEBJS")
    past = await in_doubt(bench, shop, times=3)
    past.messages.clear()
    reconciler = Reconciler(bench.database.db, past, bench.settings, bench.settings.keyring())
    for passed in (1, 2, 3):
        await reconciler.run_once()
        assert await bench.column("select sum(checks)::int from send_parts") == [passed]
    assert await bench.column("select checks from send_parts") == [1] * 3
