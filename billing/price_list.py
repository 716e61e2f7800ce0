"""Changing the price list: new versions for the future only, each named by what it charged.

A version that was ever in force is never changed again, so a charge can be explained years
later. Scheduling one ends the version before it at that moment; a version that is not in force
yet can be withdrawn, and the one before goes on. Both leave an entry in the platform's log.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from json import dumps
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError, NotFoundError, RefusedError
from billing.ledger import queries
from billing.prices import ANY_MODEL, PriceVersion, ProviderPrice, TokenPrice, version_of
from tenants import account_log
from tenants.service import Actor

VERSIONS_MAX = 1_000

# One editor at a time: the borders of neighbouring versions move together.
_LOCK: Final = text("select pg_advisory_xact_lock(hashtext('price_versions'))")
_PLACE: Final = text("""
select :valid_from <= now() as past,
       (select min(id) from price_versions where valid_from >= :valid_from) as later_id,
       coalesce((select max(id) from price_versions), 0) + 1 as next_id
""")
_END_LAST: Final = text("""
update price_versions set valid_until = :valid_from
where valid_from < :valid_from and coalesce(valid_until, 'infinity') > now()
    and not exists (select from price_versions n where n.valid_from > price_versions.valid_from
        and n.valid_from < :valid_from)
""")
_INSERT: Final = text("""
insert into price_versions (
    id, valid_from, per_reply_ucr, per_1k_tokens, per_audio_minute_ucr, per_page_ucr,
    provider_prices, note, created_by)
values (
    :id, :valid_from, :per_reply_ucr, cast(:per_1k_tokens as jsonb), :per_audio_minute_ucr,
    :per_page_ucr, cast(:provider_prices as jsonb), :note, :created_by)
""")
_WITHDRAW: Final = text("""
delete from price_versions p where id = :id and valid_from > now()
    and not exists (select from price_versions n where n.valid_from > p.valid_from)
returning valid_from
""")
_REOPEN: Final = text("""
update price_versions set valid_until = null
where valid_until = :valid_from
""")
_NEXT: Final = queries.prices("valid_from > now() order by valid_from limit 1")
_ALL: Final = queries.prices(f"true order by valid_from desc limit {VERSIONS_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrices:
    """Prices of a version to come, in micro-credits; tokens by model per 1 000.

    ``per_1k_tokens`` needs ``"*"`` (all other models) unless tokens are free ({}).
    ``provider_prices`` are micro-dollars per million tokens, our own cost.
    """

    per_reply_ucr: int
    per_1k_tokens: Mapping[str, TokenPrice] = field(default_factory=dict)
    per_audio_minute_ucr: int = 0
    per_page_ucr: int = 0
    provider_prices: Mapping[str, ProviderPrice] = field(default_factory=dict)
    note: str | None = None


async def current(connection: AsyncConnection) -> PriceVersion | None:
    """Return the version in force; None when no price list holds now."""
    row = (await connection.execute(queries.CURRENT_PRICES)).one_or_none()
    return version_of(row) if row else None


async def next_version(connection: AsyncConnection) -> PriceVersion | None:
    """Return the version that is scheduled next; None when the prices stay."""
    row = (await connection.execute(_NEXT)).one_or_none()
    return version_of(row) if row else None


async def versions(connection: AsyncConnection) -> list[PriceVersion]:
    """List every version, the latest first."""
    return [version_of(row) for row in await connection.execute(_ALL)]


async def schedule(
    connection: AsyncConnection, new: NewPrices, *, valid_from: datetime, actor: Actor
) -> PriceVersion:
    """Put a version in force from a moment to come (system scope); return it.

    Raises:
        RefusedError: a price that cannot be, or a moment that is not in the future by
            PostgreSQL's clock, or one without a time zone.
        ConflictError: another version is scheduled for that moment or later.
    """
    _check(new)
    if valid_from.tzinfo is None:
        raise RefusedError("The moment needs a time zone, e.g. 2027-01-01T00:00:00+00:00.")
    await connection.execute(_LOCK)
    place = (await connection.execute(_PLACE, {"valid_from": valid_from})).one()
    if place.past:
        raise RefusedError(
            "Prices change in the future only: what was charged keeps its price."
            " %(valid_from)s has passed.",
            valid_from=valid_from.isoformat(),
        )
    if place.later_id is not None:
        raise ConflictError(
            "Version %(later_id)s is scheduled for that moment or later; withdraw it first.",
            later_id=place.later_id,
        )
    await connection.execute(_END_LAST, {"valid_from": valid_from})
    values = _as_columns(new)
    await connection.execute(
        _INSERT,
        {
            **values,
            "id": place.next_id,
            "valid_from": valid_from,
            "created_by": f"{actor.kind}:{actor.id}" if actor.id else actor.kind,
        },
    )
    await account_log.note(
        connection,
        actor,
        action="prices.schedule",
        subject=str(place.next_id),
        after={**asdict(new), "valid_from": valid_from.isoformat()},
        reason=new.note,
    )
    found = await connection.execute(queries.PRICES_BY_ID, {"id": place.next_id})
    return version_of(found.one())


async def withdraw(connection: AsyncConnection, version_id: int, *, actor: Actor) -> None:
    """Take back the last scheduled version; the one before it goes on without an end.

    Raises:
        NotFoundError: there is no such version.
        ConflictError: it is or was in force, or another is scheduled after it.
    """
    await connection.execute(_LOCK)
    known = (await connection.execute(queries.PRICES_BY_ID, {"id": version_id})).one_or_none()
    if known is None:
        raise NotFoundError("There is no price version %(version_id)s.", version_id=version_id)
    valid_from = await connection.scalar(_WITHDRAW, {"id": version_id})
    if valid_from is None:
        raise ConflictError(
            "A version that is in force, or before another scheduled one, cannot be"
            " withdrawn: %(version_id)s.",
            version_id=version_id,
        )
    await connection.execute(_REOPEN, {"valid_from": valid_from})
    await account_log.note(
        connection,
        actor,
        action="prices.withdraw",
        subject=str(version_id),
        before={"valid_from": valid_from.isoformat()},
    )


def _check(new: NewPrices) -> None:
    figures = {
        "per reply": new.per_reply_ucr,
        "per audio minute": new.per_audio_minute_ucr,
        "per page": new.per_page_ucr,
    }
    for model, tokens in new.per_1k_tokens.items():
        figures[f"per 1 000 input tokens of {model}"] = tokens.input_ucr
        figures[f"per 1 000 output tokens of {model}"] = tokens.output_ucr
    for model, cost in new.provider_prices.items():
        figures[f"the provider's for input tokens of {model}"] = cost.input_usd_micro
        figures[f"the provider's for output tokens of {model}"] = cost.output_usd_micro
    for name, figure in figures.items():
        if figure < 0:
            raise RefusedError(
                "A price must be 0 or more: %(name)s is %(figure)s.", name=name, figure=figure
            )
    if new.per_1k_tokens and ANY_MODEL not in new.per_1k_tokens:
        raise RefusedError(
            'Prices of tokens need a line for all other models: name it "*".'
            " Without it, a new model would be free by accident."
        )


def _as_columns(new: NewPrices) -> dict[str, Any]:
    values = asdict(new)
    return {
        **values,
        "per_1k_tokens": dumps(values["per_1k_tokens"]),
        "provider_prices": dumps(values["provider_prices"]),
    }
