"""`parley credits prices` and `parley credits price …`: the price list and its future."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.errors import ExitCode
from app.cli.system_scope import in_system_scope, operator
from app.core.errors import RefusedError
from app.core.money import format_credits, parse_credits
from billing import price_list
from billing.price_list import NewPrices
from billing.prices import PriceVersion, ProviderPrice, TokenPrice

_MODEL_PRICES = 3
_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")


@click.command("prices")
@_json
def list_prices(*, json_output: bool) -> int:
    """List every version of the price list, the latest first."""
    found = in_system_scope(price_list.versions)
    if json_output:
        click.echo(json.dumps({"prices": [_as_json(version) for version in found]}))
    else:
        click.echo("\n".join(map(_sentence, found)))
    return ExitCode.DONE


@click.group("price")
def price_group() -> None:
    """Schedule prices, or withdraw scheduled ones."""


@price_group.command("schedule")
@click.option("--from", "valid_from", required=True, metavar="TIME", help="ISO 8601, with zone.")
@click.option("--reply", required=True, metavar="N", help="Credits a reply.")
@click.option(
    "--tokens",
    multiple=True,
    metavar="MODEL:IN:OUT",
    help='Credits per 1 000 tokens; "*" for all other models.',
)
@click.option("--audio-minute", default="0", metavar="N", help="Credits a minute of audio.")
@click.option("--page", default="0", metavar="N", help="Credits an indexed page.")
@click.option(
    "--provider",
    multiple=True,
    metavar="MODEL:IN:OUT",
    help="What the provider charges us, in dollars per million tokens.",
)
@click.option("--note", help="Why, for the record.")
@_json
def schedule(
    *,
    valid_from: str,
    reply: str,
    tokens: Sequence[str],
    audio_minute: str,
    page: str,
    provider: Sequence[str],
    note: str | None,
    json_output: bool,
) -> int:
    """Put new prices in force from a moment to come."""
    moment = _moment(valid_from)
    new = NewPrices(
        per_reply_ucr=parse_credits(reply),
        per_1k_tokens={m: TokenPrice(i, o) for m, (i, o) in _models(tokens, "--tokens").items()},
        per_audio_minute_ucr=parse_credits(audio_minute),
        per_page_ucr=parse_credits(page),
        # Dollars have as many decimals here as credits.
        provider_prices={
            m: ProviderPrice(i, o) for m, (i, o) in _models(provider, "--provider").items()
        },
        note=note,
    )

    async def run(connection: AsyncConnection) -> PriceVersion:
        return await price_list.schedule(connection, new, valid_from=moment, actor=operator())

    made = in_system_scope(run)
    click.echo(json.dumps(_as_json(made)) if json_output else f"Scheduled. {_sentence(made)}")
    return ExitCode.DONE


@price_group.command("withdraw")
@click.argument("version", type=int, help="Its number, from parley credits prices.")
def withdraw(*, version: int) -> int:
    """Take back a scheduled version that is not in force yet."""

    async def run(connection: AsyncConnection) -> None:
        await price_list.withdraw(connection, version, actor=operator())

    in_system_scope(run)
    click.echo(f"Version {version} is withdrawn; the one before it goes on.")
    return ExitCode.DONE


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(
            f"{text!r} is not a moment; write it like 2027-01-01T00:00:00+00:00."
        ) from None


def _models(given: Sequence[str], option: str) -> Mapping[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for text in given:
        parts = text.rsplit(":", _MODEL_PRICES - 1)
        if len(parts) != _MODEL_PRICES or not parts[0]:
            raise RefusedError(f"{option} {text!r} is not MODEL:IN:OUT, e.g. *:0.001:0.004.")
        if parts[0] in found:
            raise RefusedError(f"{option} names {parts[0]!r} twice.")
        found[parts[0]] = (parse_credits(parts[1]), parse_credits(parts[2]))
    return found


def _as_json(version: PriceVersion) -> dict[str, Any]:
    return {
        "version": version.id,
        "valid_from": version.valid_from.isoformat(),
        "valid_until": version.valid_until.isoformat() if version.valid_until else None,
        "per_reply": format_credits(version.per_reply_ucr),
        "per_1k_tokens": {
            model: {"input": format_credits(t.input_ucr), "output": format_credits(t.output_ucr)}
            for model, t in version.per_1k_tokens.items()
        },
        "per_audio_minute": format_credits(version.per_audio_minute_ucr),
        "per_page": format_credits(version.per_page_ucr),
        "provider_usd_per_1m_tokens": {
            model: {
                "input": format_credits(p.input_usd_micro),
                "output": format_credits(p.output_usd_micro),
            }
            for model, p in version.provider_prices.items()
        },
    }


def _sentence(version: PriceVersion) -> str:
    until = f" until {version.valid_until.isoformat()}" if version.valid_until else ""
    figures = _as_json(version)
    tokens = "; ".join(
        f"1 000 tokens of {'any other model' if model == '*' else model}"
        f" {price['input']} in, {price['output']} out"
        for model, price in figures["per_1k_tokens"].items()
    )
    return (
        f"{version.id}  from {version.valid_from.isoformat()}{until}: {figures['per_reply']} a"
        f" reply; {tokens or 'tokens free'}; {figures['per_audio_minute']} a minute of audio;"
        f" {figures['per_page']} a page."
    )
