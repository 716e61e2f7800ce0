"""Whatever a signed body holds: no 5xx, nothing half written, nothing left waiting.

``PARLEY_FUZZ_BODIES`` asks for more of them.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.edge.junk import SESSION, bodies
from tests.edge.wire import Wire, request
from tests.worlds import Api, Shop, World, signed

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]
BODIES = int(os.environ.get("PARLEY_FUZZ_BODIES", "2000"))
CONNECTIONS = 8
DRAIN_EVERY = 500


async def test_any_signed_body(world: World, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    shop = await world.open_shop(hook_per_min=60_000_000, hook_burst=60_000)
    waiting = bodies(BODIES)
    taken: Counter[bytes] = Counter()
    answers: Counter[int] = Counter()
    with caplog.at_level(logging.ERROR):
        while sent := await _post_some(api, shop, waiting, taken, answers):
            await world.drain()
            assert sent <= DRAIN_EVERY
    assert not caplog.records, [r.getMessage() for r in caplog.records]
    assert set(answers) <= {200, 400}, answers
    assert answers.total() == BODIES
    await _assert_stored(world, shop, taken)
    await world.assert_whole(shop)


async def _post_some(
    api: Api, shop: Shop, waiting: Iterator[bytes], taken: Counter[bytes], answers: Counter[int]
) -> int:
    """Post the next bodies over several connections; return how many there were."""
    chosen = iter([raw for _, raw in zip(range(DRAIN_EVERY), waiting, strict=False)])
    posted = 0

    async def post() -> None:
        nonlocal posted
        async with Wire.open(api.port) as wire:
            for each in chosen:
                raw = each.replace(SESSION.encode(), shop.session.encode())
                headers = {"Host": "x", "Content-Length": str(len(raw)), **signed(shop.secret, raw)}
                answer = await wire.ask(request(shop.path, headers.items(), raw))
                posted += 1
                answers[answer.status] += 1
                assert answer.status in {200, 400}, (answer, raw[:2_000])
                if b"accepted" in answer.body:
                    taken[raw] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(post())
    return posted


async def _assert_stored(world: World, shop: Shop, taken: Counter[bytes]) -> None:
    """Each body that was taken is there as it was signed, under a key, and came to an end."""
    rows = await world.all(
        "select i.body, k.pending, k.attempts, k.outcome from inbox_keys k"
        " left join inbox i on i.id = k.inbox_id where k.channel_id = $1"
        # A change that came before its message has a second key.
        " and k.outcome is distinct from 'overtook'",
        shop.channel_id,
    )
    assert Counter(bytes(row["body"] or b"") for row in rows) == taken
    left = [row for row in rows if row["pending"] or row["attempts"] or row["outcome"] == "failed"]
    assert not left, left[:3]
    assert all(row["outcome"] for row in rows)
