"""Prices change in the future only, one version after the other, and on record."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.errors import ConflictError, NotFoundError, RefusedError
from billing import price_list, prices
from billing.ledger import service
from billing.margin import margins
from billing.price_list import NewPrices
from billing.prices import (
    CURATED_ANSWER,
    PriceVersion,
    ProviderPrice,
    TokenPrice,
    Usage,
    price_of,
    provider_cost,
)
from tenants.service import Actor
from tests.billing.ledger import CREDIT

pytestmark = pytest.mark.anyio
ADMIN = Actor("admin", "a1")
UCR = st.integers(0, 10**9)
TOKENS = st.dictionaries(st.sampled_from(["m", "n"]), st.builds(TokenPrice, UCR, UCR)).flatmap(
    lambda named: st.builds(TokenPrice, UCR, UCR).map(lambda other: {"*": other, **named})
)


def soon(**after: float) -> datetime:
    return datetime.now(UTC) + timedelta(**after)


async def schedule(database, valid_from, **terms) -> PriceVersion:
    async with database.db.system() as connection:
        return await price_list.schedule(
            connection, NewPrices(**terms), valid_from=valid_from, actor=ADMIN
        )


async def listed(database) -> list[PriceVersion]:
    async with database.db.system() as connection:
        return await price_list.versions(connection)


async def test_a_version_follows_the_one_before_without_a_gap(database):
    moment = soon(days=30)
    made = await schedule(
        database,
        moment,
        per_reply_ucr=2 * CREDIT,
        per_1k_tokens={"*": TokenPrice(5, 6)},
        per_audio_minute_ucr=7,
        per_page_ucr=8,
        provider_prices={"gpt": ProviderPrice(150_000, 600_000)},
        note="dearer",
    )
    second, first = await listed(database)
    assert second == made
    assert (first.id, first.valid_until) == (1, moment)
    assert (second.valid_from, second.valid_until) == (moment, None)
    assert second.tokens("any") == TokenPrice(5, 6)
    async with database.db.system() as connection:
        assert (await prices.current(connection)).id == 1


async def test_the_past_vague_moments_and_impossible_prices_are_refused(database):
    for moment, words in (
        (datetime(2020, 1, 1, tzinfo=UTC), "in the future only: .* 2020-01-01"),
        (datetime(2999, 1, 1), "needs a time zone"),  # noqa: DTZ001 - that is the mistake
    ):
        with pytest.raises(RefusedError, match=words):
            await schedule(database, moment, per_reply_ucr=1)
    for terms, words in (
        ({"per_reply_ucr": -1}, "0 or more: per reply is -1"),
        ({"per_reply_ucr": 1, "per_1k_tokens": {"m": TokenPrice(1, 1)}}, "all other models"),
        (
            {"per_reply_ucr": 1, "provider_prices": {"m": ProviderPrice(1, -1)}},
            "0 or more: the provider.s for output tokens of m is -1",
        ),
    ):
        with pytest.raises(RefusedError, match=words):
            await schedule(database, soon(days=1), **terms)
    assert len(await listed(database)) == 1


async def test_versions_do_not_overlap_and_are_withdrawn_from_the_end(database):
    await schedule(database, soon(days=10), per_reply_ucr=2)
    with pytest.raises(ConflictError, match="Version 2 is scheduled"):
        await schedule(database, soon(days=5), per_reply_ucr=3)
    await schedule(database, soon(days=20), per_reply_ucr=3)
    async with database.db.system() as connection:
        with pytest.raises(ConflictError, match="cannot be withdrawn"):
            await price_list.withdraw(connection, 2, actor=ADMIN)
        with pytest.raises(ConflictError, match="in force"):
            await price_list.withdraw(connection, 1, actor=ADMIN)
        with pytest.raises(NotFoundError):
            await price_list.withdraw(connection, 9, actor=ADMIN)
        await price_list.withdraw(connection, 3, actor=ADMIN)
        await price_list.withdraw(connection, 2, actor=ADMIN)
    (only,) = await listed(database)
    assert (only.id, only.valid_until) == (1, None)
    async with database.db.system() as connection:
        actions = await connection.scalars(
            text("select action from account_log where action like 'prices.%' order by id")
        )
        assert list(actions) == ["prices.schedule"] * 2 + ["prices.withdraw"] * 2


async def test_a_tenant_cannot_change_prices(database, ledger):
    with pytest.raises(Exception, match="permission denied"):
        async with database.db.tenant(ledger.tenant_id) as connection:
            await price_list.schedule(
                connection, NewPrices(per_reply_ucr=0), valid_from=soon(days=1), actor=ADMIN
            )


@given(st.builds(NewPrices, per_reply_ucr=UCR, per_1k_tokens=TOKENS), st.data())
def test_settling_never_exceeds_holding_under_any_version(new, data):
    since = datetime(2000, 1, 1, tzinfo=UTC)
    price = PriceVersion(1, since, None, new.per_reply_ucr, new.per_1k_tokens, 0, 0)
    model = data.draw(st.sampled_from(["m", "n", "unheard of"]))
    in_max, out_max = data.draw(st.tuples(st.integers(0, 300_000), st.integers(0, 300_000)))
    used = Usage(
        model=model,
        replies=data.draw(st.integers(0, 1)),
        input_tokens=data.draw(st.integers(0, in_max)),
        output_tokens=data.draw(st.integers(0, out_max)),
    )
    assert price_of(price, used) <= prices.upper_bound(price, model, in_max, out_max)
    assert price_of(price, CURATED_ANSWER) == 0


def test_the_providers_cost_is_rounded_up_once_and_unknown_is_not_free():
    since = datetime(2000, 1, 1, tzinfo=UTC)
    price = PriceVersion(1, since, None, 1, {}, 0, 0, {"gpt": ProviderPrice(150_000, 600_000)})
    assert provider_cost(price, Usage(model="gpt", input_tokens=10, output_tokens=1)) == 3
    assert provider_cost(price, Usage(model="gpt", input_tokens=1_000_000)) == 150_000
    assert provider_cost(price, Usage(model="other", input_tokens=5)) is None


async def test_margin_sets_what_was_paid_against_what_it_cost(database, ledger):
    await ledger.grant(2 * CREDIT, source="promo")
    await ledger.grant(9 * CREDIT, unit_price_minor=5, currency="EUR")
    for _ in range(4):
        request = ledger.holding(CREDIT)
        assert await ledger.hold(request) == "held"
        closing = ledger.closing(request.hold_id, CREDIT, cost_usd_micro=700)
        assert await ledger.close(closing) == "captured"
    await ledger.charge(CREDIT, CREDIT)
    handed_over = ledger.holding(CREDIT)
    assert await ledger.hold(handed_over) == "held"
    released = ledger.closing(handed_over.hold_id, 0, cost_usd_micro=300)
    assert await ledger.close(released) == "released"
    async with database.db.system() as connection:
        (row,) = await margins(connection, since=soon(hours=-1), until=soon(hours=1))
        assert await margins(connection, since=soon(hours=1), until=soon(hours=2)) == []
    assert (row.tenant_id, row.charges, row.charged_ucr) == (ledger.tenant_id, 5, 5 * CREDIT)
    assert (row.cost_usd_micro, row.cost_unknown) == (4 * 700 + 300, 1)
    assert row.revenue_minor == {"EUR": 15}


async def test_a_charge_keeps_the_version_that_it_was_held_under(database, ledger):
    await ledger.grant(5 * CREDIT)
    request = ledger.holding(CREDIT)
    assert await ledger.hold(request) == "held"
    await schedule(database, soon(days=1), per_reply_ucr=9 * CREDIT)
    async with database.db.tenant(ledger.tenant_id) as connection:
        outcome = await service.close_many(connection, [ledger.closing(request.hold_id, CREDIT)])
        named = await connection.scalar(text("select price_version_id from credit_holds"))
    assert outcome[request.hold_id].settled
    assert named == 1
