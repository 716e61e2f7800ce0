"""Letters to the people of a business when somebody waits for them."""

import pytest

from app.core.mail.outbox import Outbox
from tests.conduct.desk import Desk, open_desk
from tests.engine.bench import Bench
from tests.engine.ports import says

pytestmark = pytest.mark.anyio


async def letters(desk: Desk) -> list[tuple[str, str, str]]:
    """Address, subject and text of each letter, oldest first."""
    outbox = Outbox(desk.bench.settings.keyring())
    rows = await desk.bench.rows(
        "select id, recipient, content from mails where tenant_id = :t order by id",
        t=desk.shop.tenant_id,
    )
    opened = [outbox.open(r.id, bytes(r.recipient), bytes(r.content)) for r in rows]
    return [(to, letter.subject, letter.text) for to, letter in opened]


async def hand_over(desk: Desk, phone: str) -> None:
    desk.bench.answerer.script = [says(handover="customer_request")]
    await desk.bench.write(desk.shop, phone, "A person, please; my order is 4711")
    await desk.settle()


async def test_one_letter_says_who_waits_and_nothing_of_the_message(bench: Bench):
    desk = await open_desk(bench)
    await hand_over(desk, "15550100")
    for _ in range(2):
        await bench.chore("write_to_people")
    ((to, subject, text),) = await letters(desk)
    assert to.startswith("ana-")
    assert subject == f"Ada is waiting for {desk.shop.session}"
    assert "Ada asked for a person (Desk)." in text
    assert f"/inbox/{await desk.conversation()}" in text
    assert "4711" not in text


async def test_who_comes_right_behind_shares_a_letter(bench: Bench):
    desk = await open_desk(bench)
    await hand_over(desk, "15550100")
    await bench.chore("write_to_people")
    for phone in ("15550101", "15550102"):
        await hand_over(desk, phone)
    await bench.chore("write_to_people")
    await bench.age(61)
    await bench.chore("write_to_people")
    subjects = [subject for _, subject, _ in await letters(desk)]
    assert subjects[1:] == [f"2 customers are waiting for {desk.shop.session}"]


async def test_one_conversation_is_written_about_every_half_hour_at_most(bench: Bench):
    desk = await open_desk(bench)
    await hand_over(desk, "15550100")
    await bench.chore("write_to_people")
    await desk.give_back()
    await bench.age(300)
    await hand_over(desk, "15550100")
    await bench.chore("write_to_people")
    assert len(await letters(desk)) == 1
    await bench.age(1_800)
    await bench.chore("write_to_people")
    assert len(await letters(desk)) == 2


async def test_who_took_it_over_needs_no_letter(bench: Bench):
    desk = await open_desk(bench)
    await hand_over(desk, "15550100")
    await desk.take_over(None)
    await bench.chore("write_to_people")
    assert await letters(desk) == []
    # A line about the question, only where it is wanted.
    await desk.give_back()
    await desk.conduct(letters_with_summary=True)
    await hand_over(desk, "15550100")
    await bench.execute("update conversations set handover_summary = 'Order 4711 is late'")
    await bench.chore("write_to_people")
    ((_, _, text),) = await letters(desk)
    assert "Order 4711 is late" in text
