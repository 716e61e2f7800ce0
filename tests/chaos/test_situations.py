"""Situations that a campaign does not meet for certain, each on real processes."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Iterator
from uuid import UUID

import asyncpg
import httpx
import pytest
import redis

from app.cli.local.process import process_exists
from benchmarks.chaos.businesses import open_businesses
from benchmarks.chaos.stage import Stage
from tests.chaos.scene import Scene
from tests.chaos.stages import running
from tests.fixtures.waha import WahaSession, encode
from tests.pace import stretched
from tests.worlds import signed

pytestmark = pytest.mark.timeout(240)

EXTRA_MAX_S = 10.0
LEASE_S = 4.0
WITHIN_S = 1.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One stage for the module; each test invites its own customers."""
    with running(Stage(tmp_path_factory.mktemp("stage") / "stage")) as stage:
        yield Scene(stage, open_businesses(stage, 2))


def test_a_broker_that_forgets_everything_costs_no_message(scene: Scene):
    customers = scene.invite(40)
    broker = redis.Redis.from_url(scene.stage.environment["REDIS_URL"])
    before = [scene.write(c) for c in customers[:10]]
    scene.until(lambda: all(map(scene.answered, customers[:10])), "the first ones are answered")
    during = []
    for customer in customers[10:]:
        during.append(scene.write(customer))
        broker.flushall()
        time.sleep(0.05)  # the pace of writing
    broker.close()
    scene.verdict()
    delays = scene.delays_s()
    usual_s = max(delays[token] for token in before)
    assert max(delays[token] for token in during) <= usual_s + stretched(EXTRA_MAX_S)


def test_an_absence_longer_than_the_retries_is_made_good(scene: Scene):
    """No webhook gets through, and WAHA gives up; the gap sweep finds every message."""
    customers = scene.invite(12)
    wahas = [scene.stage.waha, scene.stage.other_waha]
    for waha in wahas:
        waha.add_fault({"service": "webhook", "drop": "before", "times": None})
    for customer in customers:
        scene.write(customer)
    for waha in wahas:
        waha.forget_deliveries()
        waha.clear_faults("webhook")
    assert not any(map(scene.answered, customers))
    scene.stage.kill_soon("api")  # it comes back, and asks what it has missed
    scene.until(lambda: all(map(scene.answered, customers)), "all are answered")
    scene.verdict()


def test_fifty_deliveries_of_one_message_are_one_turn(scene: Scene):
    """At once, at both doors' event kinds, under every spelling of the sender's address."""
    # A business of its own: the reply may show under the LID, on a phone that no verdict reads.
    scene = Scene(scene.stage, open_businesses(scene.stage, 1, first=10), first_customer=500)
    (customer,) = scene.invite(1)
    business = customer.business
    waha = WahaSession(session=business.session)
    address, wa_id = f"{customer.phone}@c.us", waha.wa_id()
    token = "#900001-abcd"
    spellings = [
        (address, None),
        (f"{customer.phone}:3@s.whatsapp.net", None),
        ("270000000000777@lid", address),
    ]
    bodies = [
        encode(
            waha.message(f"{token} please", chat=chat, alternate=other, wa_id=wa_id, event=event)
        )
        for chat, other in spellings
        for event in ("message", "message.any")
    ]

    async def deliver_all() -> list[int]:
        url = scene.stage.environment["APP_URL"] + customer.webhook_path
        async with httpx.AsyncClient(timeout=20) as http:
            chosen = itertools.islice(itertools.cycle(bodies), 50)
            answers = await asyncio.gather(
                *(http.post(url, content=b, headers=signed(business.secret, b)) for b in chosen)
            )
        return [answer.status_code for answer in answers]

    assert set(asyncio.run(deliver_all())) == {200}
    shown = lambda: _replies(scene, token, customer.phone)  # noqa: E731
    scene.until(shown, "a reply")
    scene.until(lambda: _nothing_open(scene), "everything ended")
    assert len(shown()) == 1


def test_a_killed_worker_s_turns_go_on(scene: Scene):
    """SIGKILL in the middle of model calls: others go on within the lease and five seconds."""
    customers = scene.invite(12)
    scene.stage.waha.set_model("echo", delay_ms=1_500)
    try:
        calls = _model_calls(scene)
        for customer in customers:
            scene.write(customer)
        scene.until(lambda: _model_calls(scene) >= calls + 12, "all are with the model")
    finally:
        scene.stage.waha.set_model("echo")
    killed_at = time.monotonic()
    scene.stage.kill_soon("worker")
    scene.until(lambda: all(map(scene.answered, customers)), "all are answered")
    took_s = time.monotonic() - killed_at
    assert took_s <= LEASE_S + stretched(5)
    scene.verdict()


def test_a_stopped_worker_s_turns_are_claimed_within_a_second_more(scene: Scene):
    """SIGTERM in the middle of model calls: it is gone in a second, and another has its turns."""
    customers = scene.invite(12)
    scene.stage.waha.set_model("echo", delay_ms=2_500)
    try:
        calls = _model_calls(scene)
        for customer in customers:
            scene.write(customer)
        scene.until(lambda: _model_calls(scene) >= calls + 12, "all are with the model")
    finally:
        scene.stage.waha.set_model("echo")
    pids = [pid for name in ("worker", "worker-2") if (pid := scene.stage.pid(name))]
    pid, turns = max(((pid, _turns_of(scene, pid)) for pid in pids), key=lambda p: len(p[1]))
    assert turns
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    scene.until(lambda: not process_exists(pid), "it has ended")
    took_s = time.monotonic() - began
    assert took_s <= stretched(WITHIN_S)
    scene.until(lambda: not _unclaimed(scene, turns), "all are claimed")
    took_s = time.monotonic() - began
    assert took_s <= stretched(2 * WITHIN_S)
    scene.verdict()


def _turns_of(scene: Scene, pid: int) -> list[tuple[UUID, int]]:
    """The turns that a worker process has leased, with their epochs."""
    found = _rows(
        scene, "select id, lease_epoch from turns where lease_owner like $1", f"worker:%:{pid}:%"
    )
    return [(row["id"], row["lease_epoch"]) for row in found]


def _unclaimed(scene: Scene, turns: list[tuple[UUID, int]]) -> int:
    """How many of the turns nobody has taken since, and did not end either."""
    left = "select id, lease_epoch from turns where id = any($1::uuid[]) and finished_at is null"
    now = {row["id"]: row["lease_epoch"] for row in _rows(scene, left, [id_ for id_, _ in turns])}
    return sum(now.get(id_) == epoch for id_, epoch in turns)


def _rows(scene: Scene, sql: str, value: object) -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(scene.stage.environment["DATABASE_SYSTEM_URL"])
        try:
            return list(await connection.fetch(sql, value))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def _model_calls(scene: Scene) -> int:
    return len(scene.stage.waha.calls("openai", "/v1/chat/completions"))


def _nothing_open(scene: Scene) -> bool:
    left = asyncio.run(scene.ledgers.outstanding())
    return not (left.inbox or left.undecided or left.turns or left.parts)


def _replies(scene: Scene, token: str, phone: str) -> list[object]:
    """Bubbles about a token, on the phone or where its hidden number shows."""
    waha = scene.stage.waha
    found = [*waha.bubbles(phone), *waha.bubbles("lid:270000000000777")]
    return [b for b in found if b.author == "assistant" and token in b.text]
