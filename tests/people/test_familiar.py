"""The mail about a browser that was not seen before: neither too few nor too many."""

from dataclasses import replace

import pytest

from tenants.familiar import mark_of
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio
ELSEWHERE = replace(device("192.0.2.77"), agent="Chrome on Windows")


async def news(house: House) -> int:
    mails = await house.mails("ada@example.org")
    return sum("browser that was not used before" in mail for mail in mails)


async def test_a_new_browser_is_told_once_it_is_in(house: House):
    await house.register()
    await house.sign_in()
    assert await news(house) == 0
    await house.accounts.sign_in("ada@example.org", PASSWORD, ELSEWHERE)
    last = (await house.mails("ada@example.org"))[-1]
    assert await news(house) == 1
    assert "Chrome on Windows" in last
    assert "192.0.2.77" in last


async def test_a_browser_with_its_mark_is_known_wherever_it_is(house: House):
    person = await house.signed_in()
    mark = mark_of(house.settings.secret_keys[0], person.user_id)
    known = replace(ELSEWHERE, marks=frozenset({mark}))
    await house.accounts.sign_in("ada@example.org", PASSWORD, known)
    assert await news(house) == 0
    others = replace(
        ELSEWHERE, address="192.0.2.78", marks=frozenset({mark_of("another key", person.user_id)})
    )
    await house.accounts.sign_in("ada@example.org", PASSWORD, others)
    assert await news(house) == 1


async def test_a_sign_in_that_owes_its_factor_is_no_news_yet(house: House):
    _, _, codes = await house.enrol(await house.signed_in())
    opened = await house.accounts.sign_in("ada@example.org", PASSWORD, ELSEWHERE)
    assert await news(house) == 0
    await house.factor.complete(await house.person(opened), codes[0], ELSEWHERE)
    assert await news(house) == 1
