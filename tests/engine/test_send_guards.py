"""What each guard of the send path is there for: one test a guard, each on the rows it protects."""

import asyncio
from typing import Any

import pytest

from app.core.errors import ProviderError
from app.messaging import conversations
from app.messaging.sends.recording import record_attempt, take_back
from app.messaging.sends.settling import Acceptance, Refusal, accept_parts, fail_part
from app.messaging.turns.claiming import release, renew
from app.messaging.turns.generating import generate
from app.messaging.turns.model import LeaseLostError
from tests.engine import events
from tests.engine.bench import OWNER, Bench, Business
from tests.engine.ports import says, waha_refuses

pytestmark = pytest.mark.anyio
PHONE, OTHER = "15550101", "15550102"


async def generated(bench: Bench) -> tuple[Business, Any, Any]:
    """A turn whose reply is queued, and its part."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    (part,) = await generate(bench.engine(), turn)
    return shop, turn, part


async def test_only_what_was_tried_is_accepted_and_only_what_is_open_is_refused(bench: Bench):
    shop, turn, part = await generated(bench)
    for state in ("queued", "failed", "accepted", "unknown"):
        await bench.execute("update send_parts set state = :s", s=state)
        async with bench.database.db.tenant(shop.tenant_id) as connection:
            await conversations.lock(connection, shop.tenant_id, turn.conversation_id)
            common = connection, bench.settings, shop.tenant_id
            if state in {"queued", "failed"}:
                told = [Acceptance(part.id, None, "response")]
                assert await accept_parts(*common, told) == set()
            else:
                await fail_part(*common, Refusal(part.id, 0, "status_400"), status_code=400)
        assert await bench.part_states(shop) == [state]
    assert await bench.balance(shop) == (99, 1, 0)


async def test_what_is_decided_is_not_begun_again(bench: Bench):
    shop, turn, part = await generated(bench)
    for state in ("accepted", "failed", "unknown"):
        await bench.execute("update send_parts set state = :s", s=state)
        with pytest.raises(LeaseLostError):
            await record_attempt(bench.engine(), turn, part, idempotent=True)
    await bench.execute("update send_parts set state = 'queued'")
    await bench.execute("update turns set state = 'held'")
    with pytest.raises(LeaseLostError):
        await record_attempt(bench.engine(), turn, part, idempotent=True)
    assert await bench.column("select attempts from send_parts") == [0]
    assert await bench.part_states(shop) == ["queued"]


async def test_what_whatsapp_has_or_nobody_can_tell_is_not_taken_back(bench: Bench):
    shop, turn, part = await generated(bench)
    number = await record_attempt(bench.engine(), turn, part, idempotent=True)
    refused: ProviderError = waha_refuses(422)
    for change, state in (
        ("wa_id = '3EB0SEEN'", "sending"),
        ("wa_id = null, state = 'unknown'", "unknown"),
    ):
        await bench.execute(f"update send_parts set {change}")
        await take_back(bench.engine(), shop.tenant_id, part.id, number, refused)
        assert await bench.part_states(shop) == [state]


async def test_an_older_lease_of_the_same_worker_is_worth_nothing(bench: Bench):
    _, stale, part = await generated(bench)
    await bench.age(120)
    (fresh,) = await bench.claim()
    with pytest.raises(LeaseLostError):
        await record_attempt(bench.engine(), stale, part, idempotent=True)
    database = bench.database.db
    assert await renew(database, [stale], owner=OWNER, lease_s=60) == set()
    await release(database, [stale], owner=OWNER)
    assert await bench.claim() == []
    assert await renew(database, [fresh], owner=OWNER, lease_s=60) == {fresh.id}


async def test_a_call_that_lasts_keeps_its_turn(bench: Bench):
    bench.with_timings(lease_s=1)
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    original, others = bench.sender.send_text, []

    async def lasts(*told: Any) -> str | None:
        await bench.age(bench.settings.timings.send_timeout_s - 1)
        others.extend(await bench.claim("worker:2"))
        return await original(*told)

    bench.sender.send_text = lasts  # type: ignore[method-assign]
    (turn,) = await bench.claim(lease_s=60)
    await bench.run([turn])
    assert others == []
    assert bench.sender.texts() == ["hello"]


async def test_an_echo_does_not_take_the_turn_from_the_worker_in_the_call(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    original, others = bench.sender.send_text, []

    async def echoes(*told: Any) -> str | None:
        answer = await original(*told)
        await bench.echo(shop, bench.sender.phone[0])
        await asyncio.sleep(0)
        others.extend(await bench.claim("worker:2"))
        return answer

    bench.sender.send_text = echoes  # type: ignore[method-assign]
    await bench.work()
    assert others == []
    assert await bench.part_states(shop) == ["accepted"]


@pytest.mark.parametrize("stop", ["people", "blocked"])
async def test_what_may_have_arrived_is_not_stopped_any_more(bench: Bench, stop: str):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    if stop == "people":
        await bench.owner_types(shop, PHONE, "I am here")
    else:
        await bench.execute("update contacts set blocked_at = now()")
    await bench.age(5)
    await bench.work()
    assert bench.sender.texts() == ["hello"]
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_what_waits_for_evidence_takes_no_room(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS", plan={"max_inflight": 1})
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert await bench.part_states(shop) == ["sending"]
    await bench.write(shop, OTHER, "me too")
    assert await bench.work() == 1
    assert bench.sender.texts() == ["hello", "me too"]


async def test_no_hold_of_a_living_turn_or_an_open_send_is_released(bench: Bench):
    """Workers that were away for a day do not make what they go on with a gift."""
    shop, turn, part = await generated(bench)
    await bench.age(2 * 86400)
    for state in ("waiting", "due", "claimed", "held", "generated", "sending"):
        await bench.execute("update turns set state = :s", s=state)
        await bench.chore("release_orphaned_holds")
        assert await bench.balance(shop) == (99, 1, 0), state
    await bench.execute(
        "update turns set state = 'generated', lease_until = now() + interval '1 hour'"
    )
    await record_attempt(bench.engine(), turn, part, idempotent=True)
    await bench.age(2 * 86400)
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (99, 1, 0)
    await bench.execute("update turns set state = 'cancelled', lease_owner = null")
    await bench.chore("release_orphaned_holds")
    assert await bench.balance(shop) == (99, 1, 0)


async def test_a_reply_of_which_a_part_arrived_is_not_refunded(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second")]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    for shown, level in zip(bench.sender.phone, (2, -1), strict=True):
        await bench.ack(shop, shown, level)
    assert await bench.part_states(shop) == ["delivered", "failed"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_ack_error_does_not_rename_a_refusal(bench: Bench):
    """A refused part has no fate to report: nothing that comes later brings it back."""
    shop = await bench.business()
    bench.sender.refuse(400)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    (client_id,) = await bench.column("select client_message_id from send_parts where attempts > 0")
    for level in (-1, 2):
        await bench.hook(shop, "message.ack", events.ack(f"{PHONE}@c.us", client_id, level))
    assert await bench.column("select error from send_parts") == ["status_400"]
    assert await bench.part_states(shop) == ["failed"]
