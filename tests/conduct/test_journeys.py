"""Journeys through real webhooks: signed requests at the door, the engine behind it."""

from typing import Any

import pytest

from tests.conduct.desk import ALL_DAY, CHAT, NEVER, Desk, open_desk
from tests.engine import events
from tests.engine.bench import Bench
from tests.worlds import Api, fresh_settings, open_api, signed

pytestmark = pytest.mark.anyio


async def told(api: Api, desk: Desk, text: str, *, from_me: bool = False) -> None:
    """WAHA tells of a message, signed, at the number's own URL."""
    (key,) = await desk.bench.column(
        "select key from channels where tenant_id = :t", t=desk.shop.tenant_id
    )
    payload: dict[str, Any] = events.message(CHAT, text, from_me=from_me)
    event = "message.any" if from_me else "message"
    raw = events.envelope(event, desk.shop.session, payload, engine=desk.shop.engine)
    answer = await api.http.post(
        f"/webhooks/waha/{key}", content=raw, headers=signed("s" * 32, raw)
    )
    assert answer.status_code == 200, answer.text
    await desk.bench.drain()


async def test_a_day_at_the_desk(bench: Bench):
    desk = await open_desk(bench)
    async with open_api(fresh_settings(bench.settings)) as api:
        await told(api, desk, "Do you have rye bread?")
        assert await desk.settle() == ["Do you have rye bread?"]
        # Somebody answers on the phone: silence for twelve hours, and again for each message.
        await told(api, desk, "Only today!", from_me=True)
        await bench.age(11 * 3600)
        await told(api, desk, "Still there?", from_me=True)
        await bench.age(11 * 3600)
        await told(api, desk, "Great")
        assert len(await desk.settle()) == 1
        # They give it back: what stands open is answered.
        await told(api, desk, "And tomorrow?")
        await desk.give_back()
        assert (await desk.settle())[1:] == ["Great + And tomorrow?"]
        # The business closes, in its own time zone's words, and opens again.
        await desk.conduct(mode="only_open", week=NEVER, closed_text="We are closed.")
        await told(api, desk, "Tonight?")
        assert (await desk.settle())[-1] == "We are closed."
        await desk.conduct(mode="only_open", week=ALL_DAY, zone="Pacific/Auckland")
        # The customer leaves, is left alone, and comes back.
        for text in ("Stop.", "Hello?", "START", "Are you open?"):
            await told(api, desk, text)
            await desk.settle()
    assert [shown.text for shown in bench.sender.phone][3:] == [
        "You will not get automatic replies any more. Send START to come back.",
        "Welcome back! How can we help?",
        "Are you open?",
    ]
    assert await bench.dispositions(desk.shop) == {
        "Do you have rye bread?": "answered", "Great": "merged", "And tomorrow?": "answered",
        "Tonight?": "out_of_hours", "Stop.": "opted_out", "Hello?": "opted_out",
        "START": "answered", "Are you open?": "answered",
    }  # fmt: skip
    assert await bench.balance(desk.shop) == (97, 0, 3)
