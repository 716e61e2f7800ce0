"""Prices: exact, rounded up once, and never above the bound that was held."""

from datetime import UTC, datetime
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from billing import prices
from billing.prices import PriceVersion, TokenPrice, Usage, price_of, upper_bound

MILLION = 1_000_000
COUNTS = st.integers(0, 200_000)
UCR = st.integers(0, 10**7)


def version(*, per_reply=MILLION, tokens=None, audio=0, page=0) -> PriceVersion:
    since = datetime(2000, 1, 1, tzinfo=UTC)
    return PriceVersion(1, since, None, per_reply, tokens or {}, audio, page)


def test_parts_are_summed_before_rounding():
    price = version(per_reply=0, tokens={"*": TokenPrice(1, 1)})
    assert price_of(price, Usage(model="m", input_tokens=1, output_tokens=1)) == 1
    assert price_of(price, Usage(model="m", input_tokens=1000, output_tokens=1)) == 2


def test_each_part_of_the_list_counts():
    price = version(tokens={"*": TokenPrice(9, 9), "m": TokenPrice(2000, 8000)}, audio=60, page=7)
    used = Usage(model="m", input_tokens=500, output_tokens=250, audio_ms=1500, pages=3)
    assert price_of(price, used) == MILLION + 1000 + 2000 + ceil(Decimal("1.5")) + 21


@given(UCR, st.builds(TokenPrice, UCR, UCR), COUNTS, COUNTS, st.data())
def test_the_price_never_exceeds_the_bound(reply, tokens, in_max, out_max, data):
    price = version(per_reply=reply, tokens={"*": tokens})
    bound = upper_bound(price, "any", in_max, out_max)
    used = Usage(
        model="any",
        input_tokens=data.draw(st.integers(0, in_max)),
        output_tokens=data.draw(st.integers(0, out_max)),
    )
    assert price_of(price, used) <= bound


def test_negative_usage_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Usage(model="m", input_tokens=-1)


@pytest.mark.anyio
async def test_the_first_price_list_is_one_credit_a_reply(database):
    async with database.db.system() as connection:
        price = await prices.current(connection)
        assert await prices.by_id(connection, price.id) == price
    assert upper_bound(price, "gpt", 100_000, 4_000) == MILLION


@pytest.mark.anyio
async def test_versions_follow_each_other_and_terms_cannot_be_edited(database):
    insert = text(
        "insert into price_versions (id, valid_from, per_reply_ucr, per_1k_tokens, created_by)"
        " values (2, now(), 2000000,"
        ' \'{"*": {"input_ucr": 5, "output_ucr": 6}}\', \'test\')'
    )
    with pytest.raises(IntegrityError, match="ex_price_versions_one_at_a_time"):
        async with database.db.system() as connection:
            await connection.execute(insert)
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.db.system() as connection:
            await connection.execute(text("update price_versions set per_reply_ucr = 1"))
    async with database.db.system() as connection:
        await connection.execute(text("update price_versions set valid_until = now()"))
        await connection.execute(insert)
        price = await prices.current(connection)
    assert (price.id, price.tokens("x")) == (2, TokenPrice(5, 6))
