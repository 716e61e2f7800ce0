"""Doubtful sends are read back from WAHA's own listing: found is charged, absent stays unknown."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.channels.port import ChannelAccess
from app.core import faults
from app.core.errors import FaultInjectedError, ProviderError
from app.messaging.reconcile import Reconciler
from tests.engine import events
from tests.engine.bench import Bench, Business

pytestmark = pytest.mark.anyio
PHONE = "15550101"


class Listing:
    """What WAHA lists of the chats: the messages that the phone shows."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.away = False

    async def list_messages(
        self,
        access: ChannelAccess,
        *,
        since_s: float,
        limit: int,
        offset: int,
        chat: str | None = None,
    ) -> list[Mapping[str, Any]]:
        del access, since_s, limit, offset, chat
        if self.away:
            raise ProviderError("waha", "WAHA answered 500", status_code=500)
        return [
            events.message(s.chat, s.text, from_me=True, wa_id=s.wa_id, source="api")
            for s in self.bench.sender.phone
        ]

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        del access, lid
        return None


async def unknown(bench: Bench, *, arrived: bool) -> Business:
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    (bench.sender.lose if arrived else bench.sender.refuse)(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)
    await bench.work()
    await bench.execute("update channels set reconcile_due_at = now() + interval '1 hour'")
    assert await bench.part_states(shop) == ["unknown"]
    return shop


def reconciler(bench: Bench, listing: Listing) -> Reconciler:
    return Reconciler(bench.database.db, listing, bench.settings, bench.settings.keyring())


async def test_a_send_that_is_listed_is_charged(bench: Bench):
    shop = await unknown(bench, arrived=True)
    await reconciler(bench, Listing(bench)).run_once()
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.column("select resolved_by from send_parts") == ["read_back"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)
    assert len(bench.sender.calls) == 1


async def test_a_send_that_is_not_listed_stays_unknown_and_is_not_repeated(bench: Bench):
    shop = await unknown(bench, arrived=False)
    await reconciler(bench, Listing(bench)).run_once()
    assert await bench.part_states(shop) == ["unknown"]
    assert len(bench.sender.calls) == 1
    assert await bench.balance(shop) == (99, 1, 0)


async def test_an_unreadable_listing_proves_nothing(bench: Bench):
    shop = await unknown(bench, arrived=True)
    listing = Listing(bench)
    listing.away = True
    await reconciler(bench, listing).run_once()
    assert await bench.part_states(shop) == ["unknown"]


@pytest.mark.parametrize("point", ["reconcile.before_lookup", "reconcile.before_commit"])
async def test_a_crash_in_the_look_up_settles_once_all_the_same(bench: Bench, tmp_path, point: str):
    shop = await unknown(bench, arrived=True)
    faults.install_plan(f"{point}=drop", memory=tmp_path)
    with pytest.raises(FaultInjectedError):
        await reconciler(bench, Listing(bench)).run_once()
    assert await bench.balance(shop) == (99, 1, 0)
    await bench.execute("update send_parts set checked_at = now() - interval '1 minute'")
    await reconciler(bench, Listing(bench)).run_once()
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.balance(shop) == (99, 0, 1)
