"""Journeys through real webhooks: signed requests at the door, the engine behind it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.messaging import ownership
from app.messaging.attendance import attendance
from app.messaging.ingest import deciding
from app.messaging.opt_words import START_WORDS, STOP_WORDS
from app.messaging.turns.noticing import CAME_BACK, LEFT
from tenants.hours_words import language_of
from tests.conduct.desk import ALL_DAY, CHAT, NEVER, Desk, open_desk
from tests.engine import events
from tests.engine.bench import Bench
from tests.engine.ports import says
from tests.engine.test_caps import allow
from tests.worlds import Api, fresh_settings, open_api, signed

pytestmark = pytest.mark.anyio


async def told(
    api: Api, desk: Desk, text: str, *, from_me: bool = False, drain: bool = True
) -> None:
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
    if drain:
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


async def test_who_speaks_by_pause_person_loop_and_cap(bench: Bench):
    desk = await open_desk(bench, handover_text="One of us will write to you.")
    async with open_api(fresh_settings(bench.settings)) as api:
        # A pause is silence until it ends by itself.
        await told(api, desk, "Hello?")
        assert await desk.settle() == ["Hello?"]
        await desk.act(ownership.pause, for_s=600)
        await told(api, desk, "Anybody?")
        assert await desk.settle() == ["Hello?"]
        await bench.age(601)
        await bench.chore("wake_conversations")
        await told(api, desk, "Back now?")
        assert (await desk.settle())[1:] == ["Back now?"]
        # Who asks for a person is told when people are there, and is the assistant's no more.
        later = str((datetime.now(UTC).weekday() + 3) % 7)
        await desk.conduct(week={later: [[540, 541]]})
        bench.answerer.script = [says(handover="customer_request")]
        await told(api, desk, "A person, please")
        said = (await desk.settle())[-1]
        assert said.startswith("One of us will write to you.\n\nOur team is back ")
        await told(api, desk, "Still there?")
        assert (await desk.settle())[-1] == said
        # The brake: more replies in an hour than a person would read.
        await desk.give_back()
        await desk.settle()
        await desk.conduct(loop_replies_per_hour=2)
        await told(api, desk, "One more, is that right?")
        await desk.settle()
        assert await desk.row("state, handover_reason") == ("open", "loop_brake")
        # The cap of a contact's day: people until midnight.
        await desk.give_back()
        await desk.conduct(loop_replies_per_hour=100)
        await allow(bench, desk.shop, contact_replies_per_day=1)
        await told(api, desk, "And yet another thing?")
        await desk.settle()
        assert await desk.row("state, handover_reason") == ("open", "usage_limit")
    found = await bench.dispositions(desk.shop)
    assert [found[text] for text in ("Anybody?", "A person, please", "Still there?")] == [
        "paused", "handed_off", "human_owned",
    ]  # fmt: skip
    assert found["One more, is that right?"] == "loop_brake"
    assert found["And yet another thing?"] == "daily_cap"


async def test_leaving_and_coming_back_in_every_language(bench: Bench):
    desks = {language: await open_desk(bench, locale=language) for language in STOP_WORDS}
    async with open_api(fresh_settings(bench.settings)) as api:
        for words in (STOP_WORDS, START_WORDS):
            for language, desk in desks.items():
                await told(api, desk, f"{words[language][-1].upper()}!", drain=False)
            await bench.drain()
            await bench.age(9)
            await bench.work()
    said = [shown.text for shown in bench.sender.phone]
    for words in (LEFT, CAME_BACK):
        assert sorted(t for t in said if t in words.values()) == sorted(
            words[language_of(language)] for language in STOP_WORDS
        )
    assert len(said) == 2 * len(STOP_WORDS)


async def test_the_hour_that_is_there_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """In Berlin on 25 October 2026 it is 2:30 twice, and on 29 March not at all."""
    desk = await open_desk(bench)
    week = {"6": [[60, 150], [180, 240]]}
    await desk.conduct(mode="only_open", week=week, zone="Europe/Berlin")
    moments = {
        "first 2:15": (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), "answered"),
        # It closed at 2:30, and does not open again for an hour that comes back.
        "second 2:15": (datetime(2026, 10, 25, 1, 15, tzinfo=UTC), "out_of_hours"),
        "second 2:45": (datetime(2026, 10, 25, 1, 45, tzinfo=UTC), "out_of_hours"),
        "3:15 in autumn": (datetime(2026, 10, 25, 2, 15, tzinfo=UTC), "answered"),
        "1:45 in spring": (datetime(2026, 3, 29, 0, 45, tzinfo=UTC), "answered"),
        "3:15 in spring": (datetime(2026, 3, 29, 1, 15, tzinfo=UTC), "answered"),
        "4:15 in spring": (datetime(2026, 3, 29, 2, 15, tzinfo=UTC), "out_of_hours"),
    }
    async with open_api(fresh_settings(bench.settings)) as api:
        for text, (moment, _) in moments.items():
            monkeypatch.setattr(
                deciding, "attendance", lambda b, _now, at=moment: attendance(b, at)
            )
            await told(api, desk, text)
            await desk.settle()
        found = await bench.dispositions(desk.shop)
        assert found == {text: wanted for text, (_, wanted) in moments.items()}
        # The same moment in another zone is another hour.
        await desk.conduct(mode="only_open", zone="America/New_York")
        await told(api, desk, "In New York")
    assert (await bench.dispositions(desk.shop))["In New York"] == "out_of_hours"
