"""The form of a price list to come: what a reply costs, and by model what tokens cost whom."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.core.errors import RefusedError
from app.core.money import format_credits, parse_credits
from billing.price_list import NewPrices
from billing.prices import ANY_MODEL, PriceVersion, ProviderPrice, TokenPrice

LINES_MAX = 100
_BLANK_LINES = 2
_MODEL_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One line of the form, as text: credits per 1 000 tokens, our cost in USD per million."""

    model: str
    input: str = ""
    output: str = ""
    cost_input: str = ""
    cost_output: str = ""


def lines_of(version: PriceVersion | None) -> list[TokenLine]:
    """Return the lines of a version, and some that are blank."""
    return [*(_told(version) if version else ()), *[TokenLine("")] * _BLANK_LINES]


def lines_in(form: dict[str, str]) -> list[TokenLine]:
    """Return the lines as they were typed."""
    names = ("model", "input", "output", "cost_input", "cost_output")
    return [
        TokenLine(*(form.get(f"{name}_{n}", "").strip() for name in names))
        for n in range(LINES_MAX)
        if f"model_{n}" in form
    ]


def read_prices(form: dict[str, str], note: str) -> NewPrices:
    """Read the form; RefusedError says which figure cannot be."""
    lines = [line for line in lines_in(form) if line.model]
    models = [line.model for line in lines]
    if len(set(models)) != len(models):
        raise RefusedError("Each model stands in one line only.")
    if any(len(model) > _MODEL_CHARS_MAX for model in models):
        raise RefusedError("A model's name is not that long.")
    return NewPrices(
        per_reply_ucr=parse_credits(form.get("per_reply", "")),
        per_audio_minute_ucr=parse_credits(form.get("per_audio_minute") or "0"),
        per_page_ucr=parse_credits(form.get("per_page") or "0"),
        per_1k_tokens={
            line.model: TokenPrice(
                parse_credits(line.input or "0"), parse_credits(line.output or "0")
            )
            for line in lines
            if line.input or line.output
        },
        # Micro-dollars have as many decimals as micro-credits.
        provider_prices={
            line.model: ProviderPrice(
                parse_credits(line.cost_input or "0"), parse_credits(line.cost_output or "0")
            )
            for line in lines
            if line.cost_input or line.cost_output
        },
        note=note,
    )


def _told(version: PriceVersion) -> Iterator[TokenLine]:
    models = {**version.per_1k_tokens, **version.provider_prices}
    for model in sorted(models, key=lambda name: (name != ANY_MODEL, name)):
        price, cost = version.per_1k_tokens.get(model), version.provider_prices.get(model)
        yield TokenLine(
            model,
            format_credits(price.input_ucr) if price else "",
            format_credits(price.output_ucr) if price else "",
            format_credits(cost.input_usd_micro) if cost else "",
            format_credits(cost.output_usd_micro) if cost else "",
        )
