"""Files of messages: fetched at once, kept, read, and what the turn makes of them."""

import errno
from uuid import UUID, uuid4

import pytest

from app.core.errors import ProviderError
from app.core.outbound import OutboundRefused
from app.core.ports import Reading
from app.messaging import ownership
from app.messaging.media import fetching, words, work
from tests.media import samples
from tests.media.scripted import PHONE, FileDesk, gone

pytestmark = pytest.mark.anyio
PLEASE = words.please_type("en")


async def price(desk: FileDesk, **figures: int) -> None:
    """Change the price list in force, which no process may."""
    changes = ", ".join(f"{name} = {value}" for name, value in figures.items())
    await desk.superuser.execute(f"update price_versions set {changes}")


async def test_a_voice_note_is_heard_and_answered(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg; codecs=opus", samples.ogg("Are you open?"))
    turn = await desk.turn(business)
    assert turn.due_s == pytest.approx(30, abs=3), "the turn waits for its file"
    assert await desk.work() == 1
    row = await desk.row(business)
    assert (row.state, row.kind, row.content_type) == ("ready", "audio", "audio/ogg")
    assert (row.reading, row.model, row.duration_ms) == ("Are you open?", "ears", 2000)
    assert (row.name, row.size_bytes) == ("voice-message.ogg", len(samples.ogg("Are you open?")))
    assert await desk.bench.store.exists(business.tenant_id, row.id)
    turn = await desk.turn(business)
    assert (turn.media_s, turn.due_s <= 0) == (None, True), "read, so nothing is waited for"
    await desk.bench.work()
    (question,) = desk.bench.answerer.asked
    assert [(m.kind, m.text) for m in question.history] == [("audio", "Are you open?")]
    assert desk.bench.sender.texts() == ["Are you open?"]


async def test_its_minutes_and_pages_are_in_hold_and_charge(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await price(desk, per_audio_minute_ucr=600_000, per_page_ucr=250_000)
    desk.reader.script = [Reading("Two rye", "ears", audio_ms=90_000), Reading("List", pages=2)]
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.send(business, "text/plain", b"List of loaves", filename="list.txt")
    await desk.work()
    await desk.bench.work()
    # One credit a reply, 0.6 a minute and a half, 0.25 for each of two pages.
    assert (await desk.bench.balance(business))[2] == 1 + 0.9 + 0.5
    (usage,) = await desk.bench.column("select usage from turns")
    assert (usage["audio_ms"], usage["pages"], usage["files"]) == (90_000, 2, 2)


async def test_a_turn_goes_on_without_a_file_that_takes_too_long(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.bench.write(business, PHONE, "and do you deliver?")
    assert (await desk.turn(business)).due_s > 20
    assert await desk.bench.work() == 0
    await desk.bench.age(31)
    await desk.bench.work()
    (question,) = desk.bench.answerer.asked
    assert [m.text for m in question.history] == ["(it could not be heard)", "and do you deliver?"]


async def test_the_wait_for_files_has_an_end(desk: FileDesk) -> None:
    business = await desk.bench.business(cap_s=40)
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.bench.age(25)
    await desk.send(business, "audio/ogg", samples.ogg())
    assert (await desk.turn(business)).due_s == pytest.approx(15, abs=3)


async def test_what_says_nothing_is_answered_once_with_a_request_to_type(desk: FileDesk) -> None:
    business = await desk.bench.business()
    for _ in range(2):
        await desk.send(business, "video/mp4", samples.mp4())
        await desk.work()
        await desk.bench.work()
    assert [s.text for s in desk.bench.sender.phone] == [PLEASE]
    found = await desk.bench.column(
        "select disposition from messages where direction = 'in' order by sent_at, id"
    )
    assert found == ["answered", "ignored_kind"]
    assert (await desk.bench.balance(business))[2] == 1, "the scripted answerer charges a reply"
    assert {r.state for r in await desk.rows(business)} == {"ready"}, "people can look at it"
    assert desk.reader.read_kinds == []
    await desk.bench.write(business, PHONE, "Are you open?")
    await desk.bench.work()
    await desk.send(business, "video/mp4", samples.mp4())
    await desk.bench.work()
    assert [s.text for s in desk.bench.sender.phone] == [PLEASE, "Are you open?", PLEASE]


async def test_a_caption_is_answered_whatever_the_file(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "video/mp4", samples.mp4(), caption="Do you bake this?")
    await desk.bench.work()
    (question,) = desk.bench.answerer.asked
    assert question.fixed_reply is None
    assert question.history[0].text == "Do you bake this? (videos cannot be watched here)"


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (gone(404), "failed", "gone"),
        (OutboundRefused("too_large"), "too_big", "too_large"),
        (OutboundRefused("address"), "refused", "address"),
        (samples.PROGRAM, "refused", "type"),
        (b"", "refused", "type"),
    ],
)
async def test_what_cannot_be_had(
    desk: FileDesk, answer: bytes | Exception, state: str, reason: str
) -> None:
    business = await desk.bench.business()
    await desk.send(business, "application/pdf", answer, filename="bill.pdf")
    await desk.work()
    row = await desk.row(business)
    assert (row.state, row.reason) == (state, reason)
    assert not await desk.bench.store.exists(business.tenant_id, row.id)
    await desk.bench.work()
    assert desk.bench.sender.texts() == [PLEASE]


async def test_a_file_without_an_address_is_asked_for(desk: FileDesk) -> None:
    business = await desk.bench.business()
    desk.files.again = "http://localhost:3000/api/files/desk/again.bin"
    await desk.send(business, "audio/ogg", samples.ogg(), media=False)
    await desk.work()
    assert desk.files.asked[0].startswith(f"false_{PHONE}@c.us_3EB0")
    assert desk.files.asked[1:] == [desk.files.again]
    assert (await desk.row(business)).state == "ready"


async def test_a_file_that_is_gone_is_asked_for_once_more(desk: FileDesk) -> None:
    business = await desk.bench.business()
    desk.files.again = "http://localhost:3000/api/files/desk/again.bin"
    await desk.send(business, "audio/ogg", gone(), samples.ogg())
    await desk.work()
    assert (await desk.row(business)).state == "ready"


async def test_failures_are_tried_again_while_waha_keeps_the_file(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", gone(503), gone(503), samples.ogg())
    for _ in range(3):
        assert await desk.work() == 1
        assert await desk.work() == 0, "not before its time"
        await desk.bench.age(6)
    assert (await desk.row(business)).state == "ready"
    await desk.send(business, "audio/ogg", gone(503), gone(503), phone="15550002")
    await desk.work()
    await desk.bench.age(200)
    await desk.work()
    last = (await desk.rows(business))[-1]
    assert (last.state, last.reason) == ("failed", "status_503")


async def test_reading_is_tried_again_and_then_given_up(desk: FileDesk) -> None:
    business = await desk.bench.business()
    desk.reader.script = [ProviderError("llm", "answered 500", status_code=500)] * 6
    await desk.send(business, "audio/ogg", samples.ogg())
    for _ in range(6):
        await desk.work()
        await desk.bench.age(31)
    row = await desk.row(business)
    assert (row.state, row.reason, row.attempts) == ("ready", "unreadable", 6)
    assert await desk.bench.store.exists(business.tenant_id, row.id), "people can still listen"


async def test_a_worker_that_died_is_followed_by_another(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", RuntimeError("killed"), samples.ogg())
    with pytest.raises(RuntimeError):
        await desk.work()
    assert await desk.work() == 0, "its lease has to end"
    await desk.bench.age(work.LEASE_S + 1)
    await desk.work()
    assert (await desk.row(business)).state == "ready"


async def test_a_worker_that_froze_leaves_the_file_of_its_follower(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", samples.ogg(), samples.ogg())
    (frozen,) = await work.claim(desk.bench.database.db, files_max=8)
    await desk.bench.execute("update message_media set due_at = now()")
    assert await desk.work() == 1
    await fetching.process(desk.tools, frozen)
    row = await desk.row(business)
    assert row.state == "ready"
    assert await desk.bench.store.exists(business.tenant_id, row.id)


async def test_a_file_that_cannot_be_deleted_keeps_no_other(
    desk: FileDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.work()
    stuck, other = [row.id for row in await desk.rows(business)]
    await desk.bench.execute("delete from message_media")
    delete = desk.bench.store.delete

    async def fails(tenant_id: UUID, media_id: UUID) -> None:
        if media_id == stuck:
            raise PermissionError
        await delete(tenant_id, media_id)

    monkeypatch.setattr(desk.bench.store, "delete", fails)
    with pytest.raises(PermissionError):
        await desk.sweep()
    assert await desk.bench.column("select id from media_garbage") == [stuck]
    assert not await desk.bench.store.exists(business.tenant_id, other)


async def test_reading_has_limits(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", samples.ogg(length_ms=16 * 60_000))
    await desk.work()
    await desk.send(business, "audio/ogg", samples.ogg(), phone="15550002")
    await desk.work()
    (thread,) = await desk.bench.column(
        "select conversation_id from messages m join message_media f on f.message_id = m.id"
        " where f.reading is not null"
    )
    await desk.bench.execute(
        "with m as (insert into messages (tenant_id, id, conversation_id, channel_id, direction,"
        " author, wa_id, kind, sent_at) select :t, gen_random_uuid(), :c, :h, 'in', 'customer',"
        " n::text, 'audio', now() from generate_series(1, 39) n returning *)"
        " insert into message_media (tenant_id, id, message_id, kind, state, reading)"
        " select tenant_id, gen_random_uuid(), id, 'audio', 'ready', 'x' from m",
        t=business.tenant_id,
        c=thread,
        h=business.channel_id,
    )
    await desk.send(business, "audio/ogg", samples.ogg(), phone="15550002")
    await desk.work()
    reasons = [r.reason for r in await desk.rows(business) if r.reading is None]
    assert reasons == ["too_long", "too_many"]


async def test_only_what_is_to_be_answered_is_read(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.bench.owner_types(business, PHONE, "I am here")
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.send(business, "image/png", samples.png(), from_me=True)
    await desk.work()
    assert [(r.state, r.reading) for r in await desk.rows(business)] == [("ready", None)] * 2
    assert desk.reader.read_kinds == []


async def test_what_people_listened_to_is_read_once_the_assistant_goes_on(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.bench.owner_types(business, PHONE, "I am here")
    await desk.bench.age(60)
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.work()
    await desk.bench.age(600)
    (thread,) = await desk.bench.column("select id from conversations")
    async with desk.bench.database.db.tenant(business.tenant_id) as connection:
        await ownership.give_back(connection, business.tenant_id, thread, uuid4())
    assert (await desk.turn(business)).media_s == pytest.approx(30, abs=3)
    assert await desk.work() == 1, "read now, without fetching it again"
    await desk.bench.age(9)
    await desk.bench.work()
    assert [m.text for m in desk.bench.answerer.asked[-1].history][-1] == "Are you open?"
    # A takeover that ends by itself answers nothing of the past, and still knows it.
    await desk.bench.owner_types(business, PHONE, "Me again")
    await desk.send(business, "image/png", samples.png())
    await desk.bench.age(12 * 3600)
    await desk.bench.chore("wake_conversations")
    assert await desk.work() == 1
    assert desk.reader.read_kinds == ["audio", "image"]


async def test_who_fetches_while_it_is_given_back_does_not_end_it_unread(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.bench.owner_types(business, PHONE, "I am here")
    await desk.bench.age(60)
    await desk.send(business, "audio/ogg", samples.ogg())
    (held,) = await work.claim(desk.bench.database.db, files_max=1)
    assert not held.to_read
    (thread,) = await desk.bench.column("select id from conversations")
    async with desk.bench.database.db.tenant(business.tenant_id) as connection:
        await ownership.give_back(connection, business.tenant_id, thread, uuid4())
    kept = work.Kept("audio/ogg", "voice.ogg", 10, b"", 1_000)
    assert not await work.note_kept(desk.bench.database.db, held, kept)
    assert await desk.work() == 1
    assert desk.reader.read_kinds == ["audio"]


async def test_deleting_a_message_deletes_its_file(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.send(business, "audio/ogg", samples.ogg())
    await desk.work()
    row = await desk.row(business)
    async with desk.bench.database.db.tenant(business.tenant_id) as connection:
        await connection.exec_driver_sql("delete from messages")
    assert await desk.bench.store.exists(business.tenant_id, row.id)
    assert await desk.sweep() == 1
    assert not await desk.bench.store.exists(business.tenant_id, row.id)
    assert await desk.sweep() == 0


async def test_a_business_with_many_files_holds_nobody_up(desk: FileDesk) -> None:
    busy, quiet = await desk.bench.business(), await desk.bench.business()
    for n in range(10):
        await desk.send(busy, "audio/ogg", samples.ogg(), phone=f"155501{n:02}")
    await desk.send(quiet, "audio/ogg", samples.ogg())
    await desk.work()
    assert (await desk.row(quiet)).state == "ready"
    assert [r.state for r in await desk.rows(busy)].count("wanted") == 3


async def test_the_echo_of_a_file_we_send_is_no_persons(desk: FileDesk) -> None:
    business = await desk.bench.business()
    await desk.bench.write(business, PHONE, "Your menu?")
    await desk.bench.work()
    # A file of ours is on its way, and WAHA shows it before it answered the call.
    await desk.bench.execute(
        "with m as (insert into messages (tenant_id, id, conversation_id, channel_id, direction,"
        " author, kind, sent_at) select tenant_id, gen_random_uuid(), id, channel_id, 'out',"
        " 'agent', 'image', now() from conversations where tenant_id = :t returning *),"
        " s as (insert into sends (tenant_id, id, conversation_id, channel_id, author, address)"
        " select tenant_id, gen_random_uuid(), conversation_id, channel_id, 'agent', '' from m"
        " returning *)"
        " insert into send_parts (tenant_id, id, send_id, channel_id, message_id, part_no,"
        " client_message_id, state, started_at)"
        " select s.tenant_id, gen_random_uuid(), s.id, s.channel_id, m.id, 1, 'ours', 'sending',"
        " now() from s, m",
        t=business.tenant_id,
    )
    await desk.send(business, "video/mp4", samples.mp4(), from_me=True)
    assert (await desk.bench.owner_of(business))[0][0] == "open", "another kind: a person's own"
    await desk.bench.execute("update conversations set state = 'pending', human_until = null")
    await desk.send(business, "image/png", samples.png(), from_me=True)
    assert (await desk.bench.owner_of(business))[0][0] == "pending"
    (wa_id,) = await desk.bench.column("select wa_id from send_parts where state = 'sending'")
    assert wa_id.startswith("3EB0")


async def test_a_file_waits_for_a_disk_that_is_full(
    desk: FileDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    business = await desk.bench.business()
    put = desk.bench.store.put

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    await desk.send(business, "audio/ogg", samples.ogg(), samples.ogg())
    monkeypatch.setattr(desk.bench.store, "put", full)
    await desk.work()
    row = await desk.row(business)
    assert (row.state, row.reading) == ("wanted", None)
    monkeypatch.setattr(desk.bench.store, "put", put)
    await desk.bench.age(6)
    await desk.work()
    assert (await desk.row(business)).state == "ready"
