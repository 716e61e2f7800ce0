"""When the assistant speaks: hours, STOP and START, loops, blocked contacts, several bubbles."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.messaging.bubbles import split
from tests.conduct.desk import ALL_DAY, NEVER, PHONE, open_desk
from tests.engine.bench import Bench
from tests.engine.ports import says, waha_refuses

pytestmark = pytest.mark.anyio
HOUR_S = 3_600


def around_now(zone_offset_h: int = 0) -> dict[str, list[list[int]]]:
    """A week that is open from an hour before now to an hour after, on a clock in UTC."""
    now = datetime.now(UTC)
    minute = (now.hour * 60 + now.minute + zone_offset_h * 60) % 1440
    opens = (minute - 60) % 1440
    return {str(day): [[opens, opens + 120]] for day in range(7)}


MODES = (
    ("always", NEVER, "answered"),
    ("only_open", ALL_DAY, "answered"),
    ("only_open", NEVER, "out_of_hours"),
    ("only_closed", ALL_DAY, "out_of_hours"),
    ("only_closed", NEVER, "answered"),
    ("off", ALL_DAY, "paused"),
)


async def test_modes(bench: Bench):
    desk = await open_desk(bench)
    for n, (mode, week, _) in enumerate(MODES):
        await desk.conduct(mode=mode, week=week)
        await bench.write(desk.shop, f"1555020{n}", f"{n}")
        await desk.settle()
    found = await bench.dispositions(desk.shop)
    assert found == {f"{n}": disposition for n, (_, _, disposition) in enumerate(MODES)}
    assert [shown.text for shown in bench.sender.phone] == ["0", "1", "4"]


async def test_another_time_zone_is_another_hour(bench: Bench):
    desk = await open_desk(bench)
    await desk.conduct(mode="only_open", week=around_now(), zone="UTC")
    await desk.writes("In London")
    await desk.conduct(mode="only_open", zone="Asia/Kolkata")
    await desk.writes("In Kolkata")
    await desk.settle()
    found = await bench.dispositions(desk.shop)
    assert found == {"In London": "answered", "In Kolkata": "out_of_hours"}


async def test_a_closed_business_says_so_once_a_closed_period(bench: Bench):
    desk = await open_desk(bench, locale="es")
    later = str((datetime.now(UTC).weekday() + 3) % 7)
    week = {later: [[540, 541]]}
    await desk.conduct(mode="only_open", week=week, closed_text="Estamos cerrados.")
    await desk.writes("¿Hola?", "¿Hay alguien?")
    (said,) = await desk.settle()
    assert said.startswith("Estamos cerrados.\n\nNuestro equipo vuelve el ")
    await desk.writes("¿Y ahora?")
    assert await desk.settle() == [said]
    found = await bench.dispositions(desk.shop)
    assert set(found.values()) == {"out_of_hours"}
    assert await bench.balance(desk.shop) == (100, 0, 0)
    assert bench.answerer.asked == []
    await bench.execute("update conversations set closed_told_until = now()")
    await desk.writes("Otra semana")
    assert len(await desk.settle()) == 2


async def test_stop_is_confirmed_once_and_start_brings_the_assistant_back(bench: Bench):
    desk = await open_desk(bench, locale="de")
    await desk.writes("Abmelden! 🛑")
    await desk.settle()
    await desk.writes("Und noch was", "STOP")
    said = await desk.settle()
    assert said == ["Sie erhalten keine automatischen Antworten mehr. Mit START geht es weiter."]
    assert set((await bench.dispositions(desk.shop)).values()) == {"opted_out"}
    await desk.writes("Start")
    await desk.settle()
    await desk.writes("Haben Sie offen?")
    assert (await desk.settle())[1:] == [
        "Willkommen zurück! Wie können wir helfen?", "Haben Sie offen?",
    ]  # fmt: skip
    found = await bench.dispositions(desk.shop)
    assert (found["Start"], found["Haben Sie offen?"]) == ("answered", "answered")
    assert await bench.balance(desk.shop) == (99, 0, 1)
    assert len(bench.answerer.asked) == 1


async def test_a_start_that_comes_late_does_not_undo_a_later_stop(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?", "STOP")
    await bench.write(desk.shop, PHONE, "START", age_s=600)
    await desk.settle()
    assert await bench.column("select opted_out_at is not null from contacts") == [True]
    assert (await bench.dispositions(desk.shop))["START"] == "opted_out"


async def test_stop_while_the_model_thinks(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Tell me everything")
    await bench.age(9)

    async def stop():
        await desk.writes("stop")

    bench.answerer.script = [stop]
    await bench.run(await bench.claim())
    said = await desk.settle()
    assert said == ["You will not get automatic replies any more. Send START to come back."]
    assert set((await bench.dispositions(desk.shop)).values()) == {"opted_out"}
    assert await bench.balance(desk.shop) == (100, 0, 0)


async def test_stop_takes_back_a_reply_that_waits_to_be_sent(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Tell me everything")
    bench.sender.script = [waha_refuses(422)]
    await desk.settle()
    assert await bench.part_states(desk.shop) == ["queued"]
    await desk.writes("stop")
    said = await desk.settle()
    assert said == ["You will not get automatic replies any more. Send START to come back."]
    assert set((await bench.dispositions(desk.shop)).values()) == {"opted_out"}
    assert await bench.balance(desk.shop) == (100, 0, 0)


async def test_stop_to_people_is_noted_without_a_word(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.take_over(None)
    await desk.writes("STOP")
    assert await desk.settle() == []
    assert await bench.column("select opted_out_at is not null from contacts") == [True]


async def test_start_alone_is_a_question_and_a_lost_confirmation_hands_nobody_over(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("start")
    assert await desk.settle() == ["start"]
    await desk.writes("stop")
    bench.sender.script = [waha_refuses(400)]
    assert await desk.settle() == ["start"]
    assert await bench.owner_of(desk.shop) == [("pending", None)]
    assert await bench.dispositions(desk.shop) == {"start": "answered", "stop": "opted_out"}


async def test_two_machines_stop_after_three_rounds(bench: Bench):
    desk = await open_desk(bench)
    for n in range(4):
        await desk.writes(f"Thank you for your message no. {n}! We are closed.")
        await desk.settle()
    assert len(bench.sender.phone) == 3
    assert await bench.owner_of(desk.shop) == [("open", "loop_brake")]
    told = await bench.dispositions(desk.shop)
    assert told["Thank you for your message no. 3! We are closed."] == "loop_brake"
    assert await bench.balance(desk.shop) == (97, 0, 3)


async def test_who_is_no_machine_and_who_writes_more_than_a_person(bench: Bench):
    desk = await open_desk(bench)
    for _ in range(5):
        await desk.writes("Are you open?")
        await desk.settle()
        await bench.age(HOUR_S / 2)
    assert len(bench.sender.phone) == 5
    await bench.age(HOUR_S)
    await desk.conduct(loop_replies_per_hour=2)
    for question in ("When?", "Where exactly is it?", "How much would that be?"):
        await desk.writes(question)
        await desk.settle()
    assert len(bench.sender.phone) == 7
    assert await bench.owner_of(desk.shop) == [("open", "loop_brake")]


async def test_a_contact_that_was_blocked_meanwhile(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await bench.execute("update contacts set blocked_at = now()")
    assert await desk.settle() == []
    assert await bench.dispositions(desk.shop) == {"Hello?": "blocked"}


async def test_bubbles_only_where_they_are_wanted(bench: Bench):
    desk = await open_desk(bench)
    paragraphs = [f"Paragraph {n} says something that is long enough to stand alone. " * 2
                  for n in range(4)]  # fmt: skip
    bench.answerer.script = [says("\n\n".join(p.strip() for p in paragraphs))] * 2
    await desk.writes("Once")
    assert len(await desk.settle()) == 1
    await desk.conduct(bubbles=True)
    await desk.writes("And in bubbles")
    said = await desk.settle()
    assert len(said) == 4
    assert said[3].count("\n\n") == 1
    assert await bench.balance(desk.shop) == (98, 0, 2)


async def test_the_opening_is_no_bubble_of_its_own(bench: Bench):
    desk = await open_desk(bench)
    await desk.conduct(bubbles=True)
    opening = "Thanks for writing to us! I am an assistant; ask for a person at any time."
    words = [f"{n} paragraph that is long enough to stand alone, as it was meant to." for n in "12"]
    bench.answerer.script = [replace(says("\n\n".join([opening, *words])), opening=opening)]
    await desk.writes("Hello")
    assert await desk.settle() == [f"{opening}\n\n{words[0]}", words[1]]


@pytest.mark.parametrize(
    ("text", "bubbles"), [("Hi.\n\n ", ["Hi."]), ("Hi.\n\nYes.", ["Hi.\n\nYes."])]
)
def test_an_opening_with_little_behind_it(text: str, bubbles: list[str]):
    assert split([text], opening="Hi.") == bubbles


async def test_who_asks_for_a_person_hears_when_people_are_there(bench: Bench):
    desk = await open_desk(bench, handover_text="One of us will write to you.")
    later = str((datetime.now(UTC).weekday() + 3) % 7)
    await desk.conduct(week={later: [[540, 541]]})
    bench.answerer.script = [says("A colleague will help you.", handover="customer_request")]
    await desk.writes("A person, please")
    (said,) = await desk.settle()
    assert said.startswith("A colleague will help you.\n\nOur team is back ")
    assert await bench.owner_of(desk.shop) == [("open", "customer_request")]
    assert await bench.column("select notify_at is not null from conversations") == [True]
    # While people are there, no hours are told.
    await desk.give_back()
    await desk.conduct(week=ALL_DAY)
    bench.answerer.script = [says(handover="customer_request")]
    await desk.writes("A person again")
    assert (await desk.settle())[1:] == ["One of us will write to you."]
