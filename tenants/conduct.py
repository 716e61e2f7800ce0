"""A business's hours and manners, as its people set them: read, checked, changed, audited."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Timings
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.text import storable
from tenants import hours, service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.conduct_models import MODES
from tenants.devices import Device
from tenants.hours import INTERVALS_A_DAY_MAX, SPECIAL_DAYS_MAX, WeeklyHours
from tenants.login_sessions import SignedIn

TEXT_CHARS_MAX = 600
NAME_CHARS_MAX = 60
IDLE_S_MAX = 60
CAP_S_MAX = 300

_READ = text(
    """
    select t.time_zone, t.locale, t.handover_text, t.idle_s, t.cap_s,
           coalesce(k.mode, 'always') as mode, k.week, k.special_days, k.closed_text,
           coalesce(k.bubbles, false) as bubbles,
           coalesce(k.letters_with_summary, false) as letters_with_summary
    from tenants t left join tenant_conduct k on k.tenant_id = t.id
    where t.id = :tenant_id for update of t
    """
)
_SAVE = text(
    """
    insert into tenant_conduct (tenant_id, mode, week, special_days, closed_text, bubbles,
                                letters_with_summary)
    values (:tenant_id, :mode, cast(:week as jsonb), cast(:special_days as jsonb), :closed_text,
            :bubbles, :letters_with_summary)
    on conflict (tenant_id) do update set mode = excluded.mode, week = excluded.week,
        special_days = excluded.special_days, closed_text = excluded.closed_text,
        bubbles = excluded.bubbles, letters_with_summary = excluded.letters_with_summary
    """
)
_SAVE_TENANT = text(
    """
    update tenants set handover_text = :handover_text, idle_s = :idle_s, cap_s = :cap_s
    where id = :tenant_id
    """
)
_SET_BRAKE = text(
    """
    insert into tenant_conduct (tenant_id, loop_replies_per_hour, loop_repeats)
    values (:tenant_id, :replies_per_hour, :repeats)
    on conflict (tenant_id) do update set loop_replies_per_hour = excluded.loop_replies_per_hour,
        loop_repeats = excluded.loop_repeats
    """
)
_OPTED_OUT = text(
    "select count(*) from contacts where tenant_id = :tenant_id and opted_out_at is not null"
    " and merged_into is null"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a business's assistant behaves. Waits are seconds.

    Attributes:
        mode: when it answers, one of ``MODES``.
        hours: when people are there.
        closed_text: sent once a closed period in mode ``only_open``; empty for silence.
        handover_text: what customers are told when people take over; empty for silence.
        bubbles: whether long replies become several messages.
        idle_s: how long it waits for another message.
        cap_s: the longest it waits in all.
        letters_with_summary: whether letters to people say in a line what it is about.
    """

    mode: str
    hours: WeeklyHours
    closed_text: str
    handover_text: str
    bubbles: bool
    idle_s: float
    cap_s: float
    letters_with_summary: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The settings with what stands around them on their page."""

    conduct: Conduct
    locale: str
    opted_out: int


class ConductSettings:
    """Reads and changes them on behalf of people; ``usual`` are the platform's waits."""

    def __init__(self, database: Database, usual: Timings) -> None:
        self._database = database
        self._usual = usual

    async def read(self, person: SignedIn) -> Standing:
        """Return a business's settings; ForbiddenError for roles that do not set them."""
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        async with self._database.tenant(tenant_id) as connection:
            row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one()
            opted_out = await connection.scalar(_OPTED_OUT, {"tenant_id": tenant_id})
        return Standing(self._conduct(row), row.locale, int(opted_out or 0))

    async def change(self, person: SignedIn, wanted: Conduct, device: Device) -> None:
        """Set everything; before and after go to the audit trail.

        Raises:
            RefusedError: something cannot be so; the sentence says what and what is possible.
            ForbiddenError: the role does not set these.
        """
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        checked = _checked(wanted)
        async with self._database.tenant(tenant_id) as connection:
            row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one()
            before, after = _stored(self._conduct(row)), _stored(checked)
            await self._save(connection, tenant_id, checked, row)
            changed = sorted(k for k in after if after[k] != before[k])
            if changed:
                await service.record(
                    connection,
                    tenant_id,
                    actor_of(person, device),
                    action="assistant.hours",
                    subject=str(tenant_id),
                    before={k: before[k] for k in changed},
                    after={k: after[k] for k in changed},
                )

    async def _save(
        self, connection: AsyncConnection, tenant_id: UUID, wanted: Conduct, row: Any
    ) -> None:
        values = _stored(wanted)
        for name in ("week", "special_days"):
            values[name] = msgspec.json.encode(values[name]).decode()
        # What is as the platform has it goes on following the platform.
        for name in ("idle_s", "cap_s"):
            follows = getattr(row, name) is None and values[name] == getattr(self._usual, name)
            values[name] = None if follows else values[name]
        await connection.execute(_SAVE, {"tenant_id": tenant_id, **values})
        await connection.execute(_SAVE_TENANT, {"tenant_id": tenant_id, **values})

    def _conduct(self, row: Any) -> Conduct:
        return Conduct(
            mode=row.mode,
            hours=hours.from_stored(row.time_zone, row.week, row.special_days),
            closed_text=row.closed_text or "",
            handover_text=row.handover_text or "",
            bubbles=row.bubbles,
            idle_s=self._usual.idle_s if row.idle_s is None else row.idle_s,
            cap_s=self._usual.cap_s if row.cap_s is None else row.cap_s,
            letters_with_summary=row.letters_with_summary,
        )


async def set_brake(
    connection: AsyncConnection, tenant_id: UUID, *, replies_per_hour: int, repeats: int
) -> None:
    """Set the loop brake of a business, an operator's matter: 0 repeats are never too many."""
    values = {"replies_per_hour": replies_per_hour, "repeats": repeats}
    await connection.execute(_SET_BRAKE, {"tenant_id": tenant_id, **values})


def _checked(wanted: Conduct) -> Conduct:
    if wanted.mode not in MODES:
        raise RefusedError("Choose when the assistant answers.")
    if wanted.mode in {"only_open", "only_closed"} and not wanted.hours.known:
        raise RefusedError("Give your opening hours first, or let the assistant always answer.")
    for day in (*wanted.hours.week.values(), *(d.intervals for d in wanted.hours.special.values())):
        _check_day(day)
    if len(wanted.hours.special) > SPECIAL_DAYS_MAX:
        raise RefusedError("Give at most %(most)s special days.", most=SPECIAL_DAYS_MAX)
    if not 0 <= wanted.idle_s <= IDLE_S_MAX or not 0 <= wanted.cap_s <= CAP_S_MAX:
        raise RefusedError(
            "The pause may be up to %(idle_s)s seconds, the longest wait up to %(cap_s)s.",
            idle_s=IDLE_S_MAX,
            cap_s=CAP_S_MAX,
        )
    if wanted.cap_s < wanted.idle_s:
        raise RefusedError("The longest wait cannot be shorter than the pause.")
    yesterday = date.today() - timedelta(days=1)  # noqa: DTZ011 - a day more or less of the past
    kept = {day: each for day, each in wanted.hours.special.items() if day >= yesterday}
    return replace(
        wanted,
        hours=replace(wanted.hours, special=kept),
        closed_text=_text(wanted.closed_text),
        handover_text=_text(wanted.handover_text),
    )


def _check_day(intervals: tuple[hours.Interval, ...]) -> None:
    if len(intervals) > INTERVALS_A_DAY_MAX:
        raise RefusedError("Give at most %(most)s opening times a day.", most=INTERVALS_A_DAY_MAX)
    ordered = sorted(intervals)
    for one, following in pairwise(ordered):
        if following.opens_min < one.closes_min:
            raise RefusedError("Two opening times of a day overlap. Make one of them.")


def _text(raw: str) -> str:
    if len(raw) > TEXT_CHARS_MAX:
        raise RefusedError(
            "A text to customers has at most %(most)s characters.", most=TEXT_CHARS_MAX
        )
    return storable(raw.strip(), chars_max=TEXT_CHARS_MAX)


def _stored(conduct: Conduct) -> dict[str, Any]:
    week, special_days = hours.to_stored(conduct.hours)
    return {
        "mode": conduct.mode,
        "week": week,
        "special_days": special_days,
        "closed_text": conduct.closed_text or None,
        "handover_text": conduct.handover_text or None,
        "bubbles": conduct.bubbles,
        "idle_s": conduct.idle_s,
        "cap_s": conduct.cap_s,
        "letters_with_summary": conduct.letters_with_summary,
    }
