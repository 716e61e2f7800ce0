"""429: a number that sends too fast, and an address that sends what is not genuine."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core import redis as redis_connections
from app.core.config import Limits
from app.core.limits import transports
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, eventually, fresh_settings, open_api, statuses

pytestmark = pytest.mark.anyio
BAD_BURST = 60


@pytest.fixture(scope="module", autouse=True)
def patient_calls() -> Iterator[None]:
    """Give the store 10 s, so that a busy machine does not turn to its own buckets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_connections, "CONNECT_TIMEOUT_S", 10.0)
        patch.setattr(redis_connections, "DECISION_TIMEOUT_S", 10.0)
        patch.setattr(transports, "DECISION_TIMEOUT_S", 10.0)
        yield


async def test_an_empty_hook_bucket_and_the_retry_that_succeeds(world: World, api: Api) -> None:
    shop = await world.open_shop(hook_per_min=20, hook_burst=3)
    taken = [await api.deliver(shop, shop.waha().message()) for _ in range(3)]
    assert statuses(taken) == [200] * 3
    late, before = encode(shop.waha().message("the one too many")), await world.snapshot()
    # On a machine that needs 3 s for this, the bucket has room again.
    while (refused := await api.deliver(shop, late)).status_code == 200:
        taken.append(refused)
        late, before = encode(shop.waha().message("one more")), await world.snapshot()
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limit"
    assert refused.headers["ratelimit-limit"] == "20"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["ratelimit-reset"]) <= 9
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert await world.snapshot() == before
    # WAHA waits at least Retry-After, then sends the same bytes.

    async def taken_now() -> bool:
        return (await api.deliver(shop, late)).status_code == 200

    await eventually(taken_now, "the retry's success")
    stored = await world.column("select body from inbox where channel_id = $1", shop.channel_id)
    assert late in stored
    assert len(stored) == len(taken) + 1


async def test_one_numbers_flood_is_not_anothers(world: World, api: Api) -> None:
    loud, calm = await world.open_shop(hook_per_min=1, hook_burst=2), await world.open_shop()
    answers = await asyncio.gather(
        *(api.deliver(loud, loud.waha().message()) for _ in range(20)),
        *(api.deliver(calm, calm.waha().message()) for _ in range(20)),
    )
    assert statuses(answers[20:]) == [200] * 20
    assert sorted(statuses(answers[:20])) == [200] * 2 + [429] * 18


async def test_the_platforms_figures_hold_where_a_number_has_none(world: World) -> None:
    shop = await world.open_shop()
    settings = replace(world.settings, limits=Limits(hook_per_min=1, hook_burst=5))
    async with open_api(settings) as api:
        answers = [await api.deliver(shop, shop.waha().message()) for _ in range(6)]
    assert statuses(answers) == [200] * 5 + [429]


async def test_a_hundred_unsigned_are_throttled_while_genuine_ones_pass(world: World) -> None:
    shop = await world.open_shop()
    limits = Limits(hook_bad_per_min=BAD_BURST, hook_bad_burst=BAD_BURST)
    settings = fresh_settings(world.settings, limits=limits)
    async with open_api(settings) as api:
        before = await world.snapshot()
        raw = encode(shop.waha().message())
        answers = [await api.post(shop.path, raw) for _ in range(100)]
        counts = {code: statuses(answers).count(code) for code in (401, 429)}
        assert sum(counts.values()) == 100
        assert BAD_BURST <= counts[401] < 100
        last = answers[-1]
        assert last.status_code == 429
        assert last.headers["ratelimit-limit"] == str(BAD_BURST)
        assert int(last.headers["retry-after"]) >= 1
        # Unknown keys and wrong signatures share the bucket of their address.
        unknown = await api.post("/webhooks/waha/nobody-has-this-key", raw, secret=shop.secret)
        wrong = await api.post("/api/webhooks/whatsapp", raw, secret="wrong")
        assert statuses([unknown, wrong]) == [429, 429]
        assert await world.snapshot() == before
        genuine = await asyncio.gather(
            *(api.deliver(shop, shop.waha().message(f"real {n}")) for n in range(100))
        )
    assert statuses(genuine) == [200] * 100
    assert len(await world.outcomes(shop)) == 100


async def test_what_is_no_attempt_at_a_door_is_not_counted(world: World, shop: Shop) -> None:
    limits = Limits(hook_bad_per_min=1, hook_bad_burst=1)
    async with open_api(fresh_settings(world.settings, limits=limits)) as api:
        for _ in range(3):
            malformed = await api.post(shop.path, b"[]", secret=shop.secret)
            method = await api.http.get(shop.path)
            longer = await api.post(f"{shop.path}/more", b"{}")
            assert statuses([malformed, method, longer]) == [400, 405, 404]
        assert statuses([await api.post(shop.path, b"{}") for _ in range(2)]) == [401, 429]
