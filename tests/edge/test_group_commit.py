"""The group commit by itself: what shares a batch, and what a batch's failure costs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from app.core import faults, ids
from app.core import redis as redis_connections
from app.core.config import Limits
from app.core.errors import UnavailableError
from app.core.limits import transports
from app.core.limits.limiter import SharedLimiter
from app.core.limits.policies import hook
from app.core.limits.transports import RedisTransport
from app.core.limits.types import Check
from app.messaging.ingest import group_commit
from app.messaging.ingest.group_commit import GroupCommit, Receipt
from app.messaging.ingest.storing import Delivery
from tests.worlds import Shop, World, eventually

pytestmark = pytest.mark.anyio


class CountingBell:
    """Counts how often it is rung."""

    def __init__(self) -> None:
        self.rings: list[str] = []

    async def ring(self, queue: str) -> None:
        self.rings.append(queue)


@pytest.fixture
def bell() -> CountingBell:
    return CountingBell()


@pytest.fixture
def patient_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the store 10 s, so that a busy machine does not turn to its own buckets."""
    monkeypatch.setattr(redis_connections, "CONNECT_TIMEOUT_S", 10.0)
    monkeypatch.setattr(redis_connections, "DECISION_TIMEOUT_S", 10.0)
    monkeypatch.setattr(transports, "DECISION_TIMEOUT_S", 10.0)


@pytest.fixture
async def ingest(world: World, bell: CountingBell) -> AsyncIterator[GroupCommit]:
    commit = GroupCommit(world.db, SharedLimiter(None), bell, Limits())
    yield commit
    faults.install_plan("")
    await commit.close()


def delivery(shop: Shop, name: str, *, event: str = "message") -> Delivery:
    key = hashlib.sha256(name.encode()).digest()[:16]
    return Delivery(shop.tenant_id, shop.channel_id, key, ids.uuid7(), event, b"{}", "req_test")


async def submit_all(ingest: GroupCommit, *deliveries: Delivery) -> list[Receipt | BaseException]:
    return await asyncio.gather(*map(ingest.submit, deliveries), return_exceptions=True)


async def test_concurrent_deliveries_share_one_bell(
    ingest: GroupCommit, bell: CountingBell, shop: Shop
) -> None:
    found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(100)))
    assert found == [Receipt(fresh=True)] * 100
    assert bell.rings == ["ingest"]


async def test_twins_in_one_batch_are_one_row(
    world: World, ingest: GroupCommit, bell: CountingBell, shop: Shop
) -> None:
    found = await submit_all(ingest, *(delivery(shop, "same") for _ in range(20)))
    assert sorted(isinstance(r, Receipt) and r.fresh for r in found) == [False] * 19 + [True]
    assert len(await world.outcomes(shop)) == 1
    assert await submit_all(ingest, delivery(shop, "same")) == [Receipt(fresh=False)]
    assert bell.rings == ["ingest"]


async def test_a_poisoned_row_of_a_batch_fails_alone(
    world: World, ingest: GroupCommit, bell: CountingBell, shop: Shop
) -> None:
    await world.run(
        "alter table inbox add constraint no_poison check (event <> 'poison') not valid"
    )
    try:
        found = await submit_all(
            ingest,
            *(delivery(shop, f"good {n}") for n in range(5)),
            delivery(shop, "bad", event="poison"),
            *(delivery(shop, f"fine {n}") for n in range(5)),
        )
    finally:
        await world.run("alter table inbox drop constraint no_poison")
    assert isinstance(found.pop(5), UnavailableError)
    assert found == [Receipt(fresh=True)] * 10
    assert len(await world.outcomes(shop)) == 10
    assert bell.rings == ["ingest"]


async def test_a_crash_before_the_commit_stores_nothing_and_says_so(
    world: World, ingest: GroupCommit, shop: Shop
) -> None:
    faults.install_plan("ingest.before_commit=drop")
    found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(5)))
    faults.install_plan("")
    assert all(isinstance(f, UnavailableError) for f in found)
    assert await world.outcomes(shop) == []


async def test_a_crash_after_the_commit_is_a_duplicate_at_the_retry(
    world: World, ingest: GroupCommit, shop: Shop
) -> None:
    faults.install_plan("ingest.after_commit=drop")
    (lost,) = await submit_all(ingest, delivery(shop, "one"))
    faults.install_plan("")
    assert isinstance(lost, UnavailableError)
    assert await submit_all(ingest, delivery(shop, "one")) == [Receipt(fresh=False)]
    assert len(await world.outcomes(shop)) == 1


async def test_what_waits_is_bounded(
    ingest: GroupCommit, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WAITING_MAX", 3)
    found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(5)))
    assert [isinstance(f, UnavailableError) for f in found] == [False] * 3 + [True] * 2


async def test_the_bytes_that_wait_are_bounded(
    ingest: GroupCommit, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WAITING_BYTES_MAX", 5)
    for _ in range(2):  # what has left does not count
        found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(3)))
        assert [isinstance(f, UnavailableError) for f in found] == [False, False, True]


async def test_large_bodies_make_small_batches(
    world: World,
    ingest: GroupCommit,
    bell: CountingBell,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "BATCH_BYTES_MAX", 5)
    found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(5)))
    assert found == [Receipt(fresh=True)] * 5
    assert len(bell.rings) == 3
    monkeypatch.setattr(group_commit, "BATCH_BYTES_MAX", 1)
    assert await submit_all(ingest, delivery(shop, "alone")) == [Receipt(fresh=True)]


async def test_nobody_waits_behind_a_database_that_does_not_answer(
    ingest: GroupCommit, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, given_up = asyncio.Event(), asyncio.Event()
    calls = 0

    async def silent(*_: object) -> set[int]:
        nonlocal calls
        calls += 1
        asked.set()
        await given_up.wait()
        raise TimeoutError

    monkeypatch.setattr(group_commit, "store_on", silent)
    first = asyncio.create_task(submit_all(ingest, delivery(shop, "first")))
    await asked.wait()
    behind = asyncio.create_task(submit_all(ingest, delivery(shop, "behind")))
    await asyncio.sleep(0)
    given_up.set()
    found = [*await first, *await behind]
    assert [type(f) for f in found] == [UnavailableError] * 2
    assert calls == 1


async def test_closing_commits_what_waits_and_takes_no_more(
    world: World, ingest: GroupCommit, shop: Shop
) -> None:
    waiting = asyncio.create_task(ingest.submit(delivery(shop, "last")))
    await asyncio.sleep(0)
    await ingest.close()
    assert await waiting == Receipt(fresh=True)
    with pytest.raises(UnavailableError):
        await ingest.submit(delivery(shop, "later"))
    assert len(await world.outcomes(shop)) == 1


async def test_a_caller_that_goes_away_takes_nobody_with_it(
    ingest: GroupCommit, shop: Shop
) -> None:
    gone = asyncio.create_task(ingest.submit(delivery(shop, "gone")))
    stays = asyncio.create_task(ingest.submit(delivery(shop, "stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == Receipt(fresh=True)


async def test_enough_that_wait_do_not_wait_for_a_slow_commit(
    world: World, ingest: GroupCommit, shop: Shop
) -> None:
    await world.run("begin")
    try:
        await world.run("lock table inbox in exclusive mode")
        first = asyncio.create_task(submit_all(ingest, delivery(shop, "first")))
        await eventually(lambda: waiting_for_locks(world, 1), "the first batch's commit")
        few = asyncio.create_task(submit_all(ingest, delivery(shop, "few")))
        await asyncio.sleep(0)
        assert await waiting_for_locks(world, 1)
        company = [delivery(shop, f"{n}") for n in range(group_commit.COMPANY_MIN)]
        many = asyncio.create_task(submit_all(ingest, *company))
        await eventually(lambda: waiting_for_locks(world, 2), "the second batch's commit")
    finally:
        await world.run("rollback")
    found = [r for task in (first, few, many) for r in await task]
    assert found == [Receipt(fresh=True)] * (2 + group_commit.COMPANY_MIN)
    assert len(await world.outcomes(shop)) == len(found)


async def test_a_channels_sum_is_refused_only_where_each_alone_would_be(
    world: World, bell: CountingBell, shop: Shop, redis_server_url: str, patient_calls: None
) -> None:
    limiter = SharedLimiter(RedisTransport(redis_server_url))
    limits = Limits(hook_per_min=1, hook_burst=7)
    ingest = GroupCommit(world.db, limiter, bell, limits)
    found = await submit_all(ingest, *(delivery(shop, f"{n}") for n in range(20)))
    receipts = [r for r in found if isinstance(r, Receipt)]
    assert [r.refusal is None for r in receipts] == [True] * 7 + [False] * 13
    alone = await limiter.decide([Check(hook(limits), str(shop.channel_id))])
    refusal = receipts[-1].refusal
    assert refusal is not None
    assert (refusal.policy, refusal.limit, refusal.remaining) == ("hook", 1, 0)
    assert abs(refusal.retry_after_s - alone.retry_after_s) < 30
    assert len(await world.outcomes(shop)) == 7
    await ingest.close()
    await limiter.close()


async def waiting_for_locks(world: World, count: int) -> bool:
    """Whether so many statements of this database wait for a table lock."""
    found = await world.column(
        "select count(*) from pg_locks where not granted and database ="
        " (select oid from pg_database where datname = current_database())"
    )
    return found == [count]
