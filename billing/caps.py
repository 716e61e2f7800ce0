"""A tenant's own caps: credits a day and a month, replies to a contact a day, the auto-stop.

They are enforced by the hold itself, under the wallet's lock, so that two turns never share
the last place. What each one means:

- **daily cap**: credits held or charged since the tenant's midnight never exceed it. What was
  released (no reply came of it) does not count; a later refund does not open the day again.
- **monthly cap**: the same for the tenant's calendar month.
- **per contact**: replies to one contact since that midnight.
- **auto-stop**: a hold that would bring the last sixty minutes above this figure is refused
  and stops the assistant for the whole business, until somebody lets it go on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError, Word
from tenants.service import Actor, record

CONTACT_REPLIES_DEFAULT = 40
CONTACT_REPLIES_MAX = 1_000
"""What a tenant may raise its cap per contact to; an operator may go higher."""
CONTACT_REPLIES_OPERATOR_MAX = 1_000_000

STOPPED_BY_HAND = Word("Stopped by hand.")
"""The reason kept with a stop that is not the rule's; the rule's own is a sentence as well."""
# As ``credit_hold_items`` writes it, with the limit that would have been passed.
_STOPPED_BY_RULE = re.compile(r"More than (?P<amount>[\d.]+) credits would have been used")

_OWN_PEOPLE = frozenset({"user", "api_key"})
_READ: Final = text("""
select daily_cap_ucr, monthly_cap_ucr, contact_replies_per_day, auto_stop_ucr_per_hour,
       stopped_at, stopped_reason,
       case when day_until > now() then day_ucr else 0 end as used_today_ucr,
       day_until,
       case when month_until > now() then month_ucr else 0 end as used_this_month_ucr
from wallets where tenant_id = :tenant_id
""")
_SET: Final = text("""
select credit_set_caps(
    :tenant_id, cast(:daily_cap_ucr as bigint), cast(:monthly_cap_ucr as bigint),
    :contact_replies_per_day, cast(:auto_stop_ucr_per_hour as bigint))
""")
_STOP: Final = text("select credit_stop(:tenant_id, :reason)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What a tenant allows; None is no limit. Credits are micro-credits."""

    daily_cap_ucr: int | None = None
    monthly_cap_ucr: int | None = None
    contact_replies_per_day: int = CONTACT_REPLIES_DEFAULT
    auto_stop_ucr_per_hour: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsNow:
    """The caps, what the tenant's day has used of them, and whether the assistant is stopped.

    ``stopped_reason`` is a sentence for the tenant.
    ``day_until`` is the end of the day that ``used_today_ucr`` counts; None before any hold.
    """

    caps: Caps
    used_today_ucr: int
    used_this_month_ucr: int
    day_until: datetime | None
    stopped_at: datetime | None
    stopped_reason: str | None


def stop_reason(stored: str, translate: Callable[..., str]) -> str:
    """Return why the assistant was stopped, as the wallet keeps it, in somebody's language."""
    rule = _STOPPED_BY_RULE.match(stored)
    if rule is None:
        return translate(stored)
    return translate(
        "More than %(amount)s credits would have been used within an hour.", amount=rule["amount"]
    )


async def read(connection: AsyncConnection, tenant_id: UUID) -> CapsNow:
    """Return a tenant's caps and where it stands; NotFoundError when it has no wallet."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one_or_none()
    if row is None:
        raise NotFoundError("This business has no credits account yet.")
    return CapsNow(
        caps=Caps(
            daily_cap_ucr=row.daily_cap_ucr,
            monthly_cap_ucr=row.monthly_cap_ucr,
            contact_replies_per_day=row.contact_replies_per_day,
            auto_stop_ucr_per_hour=row.auto_stop_ucr_per_hour,
        ),
        used_today_ucr=row.used_today_ucr,
        used_this_month_ucr=row.used_this_month_ucr,
        day_until=row.day_until,
        stopped_at=row.stopped_at,
        stopped_reason=row.stopped_reason,
    )


async def change(
    connection: AsyncConnection, tenant_id: UUID, wanted: Caps, *, actor: Actor
) -> CapsNow:
    """Set all caps and leave an audit entry; what holds now stays valid.

    Raises:
        RefusedError: a figure outside its bounds; the text says which and what is possible.
        NotFoundError: the tenant has no wallet.
    """
    before = (await read(connection, tenant_id)).caps
    _check(wanted, before, actor)
    if wanted != before:
        await connection.execute(_SET, {"tenant_id": tenant_id, **_figures(wanted)})
        await record(
            connection,
            tenant_id,
            actor,
            action="caps.change",
            subject=str(tenant_id),
            before=_figures(before),
            after=_figures(wanted),
        )
    return await read(connection, tenant_id)


async def stop(connection: AsyncConnection, tenant_id: UUID, *, actor: Actor) -> bool:
    """Stop the assistant for the whole business; False when it was stopped already."""
    return await _switch(connection, tenant_id, STOPPED_BY_HAND, actor)


async def resume(connection: AsyncConnection, tenant_id: UUID, *, actor: Actor) -> bool:
    """Let a stopped assistant go on, with a new hour counted; False when it was not stopped."""
    return await _switch(connection, tenant_id, None, actor)


async def note_auto_stop(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Leave the audit entry of an auto-stop, in the transaction of the hold that met it."""
    now = await read(connection, tenant_id)
    await record(
        connection,
        tenant_id,
        Actor("system"),
        action="assistant.auto_stop",
        subject=str(tenant_id),
        after=_figures(now.caps),
    )


async def _switch(
    connection: AsyncConnection, tenant_id: UUID, reason: str | None, actor: Actor
) -> bool:
    changed = bool(await connection.scalar(_STOP, {"tenant_id": tenant_id, "reason": reason}))
    if changed:
        action = "assistant.stop" if reason else "assistant.resume"
        await record(connection, tenant_id, actor, action=action, subject=str(tenant_id))
    return changed


def _check(wanted: Caps, before: Caps, actor: Actor) -> None:
    # What an operator has raised may stay, and may be saved along with the rest.
    own_max = max(CONTACT_REPLIES_MAX, before.contact_replies_per_day)
    most = own_max if actor.kind in _OWN_PEOPLE else CONTACT_REPLIES_OPERATOR_MAX
    if not 1 <= wanted.contact_replies_per_day <= most:
        raise RefusedError(
            "Replies to one contact a day must be between 1 and %(most)s, not"
            " %(contact_replies_per_day)s.",
            most=most,
            contact_replies_per_day=wanted.contact_replies_per_day,
        )
    if wanted.daily_cap_ucr is not None and wanted.daily_cap_ucr < 0:
        raise RefusedError("A daily cap must be 0 credits or more; leave it empty for no cap.")
    if wanted.monthly_cap_ucr is not None and wanted.monthly_cap_ucr < 0:
        raise RefusedError("A monthly cap must be 0 credits or more; leave it empty for no cap.")
    if wanted.auto_stop_ucr_per_hour is not None and wanted.auto_stop_ucr_per_hour <= 0:
        raise RefusedError(
            "A brake must be above 0 credits an hour; leave it empty to switch it off."
        )


def _figures(caps: Caps) -> dict[str, Any]:
    return {
        "daily_cap_ucr": caps.daily_cap_ucr,
        "monthly_cap_ucr": caps.monthly_cap_ucr,
        "contact_replies_per_day": caps.contact_replies_per_day,
        "auto_stop_ucr_per_hour": caps.auto_stop_ucr_per_hour,
    }
