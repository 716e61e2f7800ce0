"""The price list: what a reply may cost at most, and what it did cost.

Everything is an integer in micro-credits; a price is summed exactly and rounded up once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import ceil

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from billing.ledger import queries

ANY_MODEL = "*"
_TOKENS_PER_PRICE = 1_000
_TOKENS_PER_PROVIDER_PRICE = 1_000_000
_MS_PER_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """Price of 1 000 tokens of one model, in micro-credits."""

    input_ucr: int
    output_ucr: int


@dataclass(frozen=True, slots=True)
class ProviderPrice:
    """What a provider charges us for a million tokens of one model, in micro-dollars."""

    input_usd_micro: int
    output_usd_micro: int


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One version of the price list; ``per_1k_tokens`` by model, ``"*"`` for all others.

    ``provider_prices`` is our own cost by model, without which a charge has no margin.
    """

    id: int
    valid_from: datetime
    valid_until: datetime | None
    per_reply_ucr: int
    per_1k_tokens: Mapping[str, TokenPrice]
    per_audio_minute_ucr: int
    per_page_ucr: int
    provider_prices: Mapping[str, ProviderPrice] = field(default_factory=dict)

    def tokens(self, model: str) -> TokenPrice:
        """Return a model's token price; free when the list prices no tokens at all."""
        free = TokenPrice(0, 0)
        return self.per_1k_tokens.get(model) or self.per_1k_tokens.get(ANY_MODEL, free)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a job used: tokens as the provider counted them, audio in milliseconds.

    An answer that the tenant wrote itself (a curated one) asks no model and is no reply in the
    sense of the list: ``CURATED_ANSWER``, free under every version.
    """

    model: str
    replies: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    audio_ms: int = 0
    pages: int = 0

    def __post_init__(self) -> None:
        if min(self.replies, self.input_tokens, self.output_tokens, self.audio_ms, self.pages) < 0:
            raise ValueError("usage cannot be negative")


CURATED_ANSWER = Usage(model="curated", replies=0)


def price_of(price: PriceVersion, usage: Usage) -> int:
    """Return the exact price of a usage in micro-credits, rounded up once."""
    tokens = price.tokens(usage.model)
    parts = (
        Fraction(usage.replies * price.per_reply_ucr),
        Fraction(usage.input_tokens * tokens.input_ucr, _TOKENS_PER_PRICE),
        Fraction(usage.output_tokens * tokens.output_ucr, _TOKENS_PER_PRICE),
        Fraction(usage.audio_ms * price.per_audio_minute_ucr, _MS_PER_MINUTE),
        Fraction(usage.pages * price.per_page_ucr),
    )
    return ceil(sum(parts, Fraction(0)))


def provider_cost(price: PriceVersion, usage: Usage) -> int | None:
    """Return what the provider charges us for a usage, in micro-dollars, rounded up once.

    None when the list has no provider price for the model: unknown is not free.
    """
    provider = price.provider_prices.get(usage.model) or price.provider_prices.get(ANY_MODEL)
    if provider is None:
        return None
    exact = Fraction(
        usage.input_tokens * provider.input_usd_micro
        + usage.output_tokens * provider.output_usd_micro,
        _TOKENS_PER_PROVIDER_PRICE,
    )
    return ceil(exact)


def upper_bound(
    price: PriceVersion, model: str, input_tokens_max: int, output_tokens_max: int
) -> int:
    """Return what one reply may cost at most, in micro-credits: the amount to hold.

    ``price_of`` never exceeds it for usage within the bounds, because it grows with each of
    its figures. ``output_tokens_max`` must be the limit that is sent to the provider.
    """
    most = Usage(model=model, input_tokens=input_tokens_max, output_tokens=output_tokens_max)
    return price_of(price, most)


async def current(connection: AsyncConnection) -> PriceVersion:
    """Return the version in force now, by PostgreSQL's clock; NotFoundError when none is."""
    row = (await connection.execute(queries.CURRENT_PRICES)).one_or_none()
    if row is None:
        raise NotFoundError("No price list is in force; add a price version that starts now.")
    return version_of(row)


async def by_id(connection: AsyncConnection, price_version_id: int) -> PriceVersion:
    """Return the version that a charge names; NotFoundError when there is none."""
    row = (await connection.execute(queries.PRICES_BY_ID, {"id": price_version_id})).one_or_none()
    if row is None:
        raise NotFoundError(
            "There is no price version %(price_version_id)s.", price_version_id=price_version_id
        )
    return version_of(row)


def version_of(row: Row[tuple[object, ...]]) -> PriceVersion:
    """Read a row of ``queries.prices`` into a version."""
    values = dict(row._mapping)  # noqa: SLF001
    values["per_1k_tokens"] = {
        model: TokenPrice(input_ucr=entry["input_ucr"], output_ucr=entry["output_ucr"])
        for model, entry in values["per_1k_tokens"].items()
    }
    values["provider_prices"] = {
        model: ProviderPrice(entry["input_usd_micro"], entry["output_usd_micro"])
        for model, entry in values["provider_prices"].items()
    }
    return PriceVersion(**values)
