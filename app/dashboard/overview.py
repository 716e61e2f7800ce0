"""What the home page tells: how far the set-up is, the figures of a range, and what needs people.

One transaction of the tenant with a handful of statements; each touches an index range, however
many messages there are.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.messaging.desk.viewers import VISIBLE, Viewer, viewer
from app.messaging.desk.waiting import LEFT_ALONE, OWNED
from app.messaging.numbers import daily
from app.messaging.numbers.daily import Day
from app.messaging.numbers.reading import Number, NumberState, numbers_of
from billing import proofs
from billing.proofs import ProofRecord
from tenants.access import Permission
from tenants.login_sessions import SignedIn

RANGES = (1, 7, 30)
BURN_DAYS = 7
LOW_DAYS = 5
_LOW_REPLIES = 20
_WAITING_ROWS = 5
_COUNTED_MAX = 100

_STANDING = text(
    """
    select w.available_ucr, w.held_ucr, w.stopped_at is not null as stopped,
        (select p.per_reply_ucr from price_versions p where p.valid_from <= now()
            and (p.valid_until is null or p.valid_until > now()) limit 1) as reply_ucr,
        exists (select from question_answers q where q.tenant_id = t.id)
            or exists (select from knowledge_sources k where k.tenant_id = t.id)
            or exists (select from assistant_versions a where a.tenant_id = t.id
                       and a.state = 'live' and a.content -> 'facts' <> '[]') as taught,
        exists (select from sends s where s.tenant_id = t.id and s.turn_id is not null) as replied,
        (select count(*) from (select from unanswered_questions u where u.tenant_id = t.id
            and u.state = 'open' limit :counted_max) x) as unanswered,
        (select count(*) from memberships m where m.tenant_id = t.id) as members
    from tenants t left join wallets w on w.tenant_id = t.id
    where t.id = :tenant_id
    """
)
_WAITING = text(
    f"""
    with {LEFT_ALONE}, open as (
        (select c.*, null as left_as from conversations c
        where c.tenant_id = :tenant_id and {VISIBLE} and {OWNED}
        order by c.last_message_at desc limit :counted_max)
        union all
        select c.*, a.disposition from left_alone a
        join conversations c on c.tenant_id = :tenant_id and c.id = a.id
        where {VISIBLE}
        limit :counted_max
    )
    select o.id, o.handover_reason, o.left_as, o.last_message_at, o.address,
           coalesce(k.name, k.push_name) as name, (select count(*) from open) as total
    from open o join contacts k on k.tenant_id = o.tenant_id and k.id = o.contact_id
    order by o.last_message_at desc limit :rows_max
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits for a person."""

    id: UUID
    reason: str | None
    left_as: str | None
    last_message_at: datetime
    name: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Credits:
    """The balance, how fast it goes, and how long it lasts at that pace (None: nothing goes)."""

    available_ucr: int
    held_ucr: int
    stopped: bool
    burn_ucr: int
    days_left: float | None
    low: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the page. ``days`` are those of the range, the oldest first, without gaps."""

    numbers: list[Number]
    taught: bool
    replied: bool
    members: int
    days: list[Day]
    total: Day
    p50_s: float | None
    p95_s: float | None
    credits: Credits | None
    waiting: list[Waiting]
    waiting_total: int
    unanswered: int
    proof: ProofRecord | None

    @property
    def connected(self) -> bool:
        """Whether a phone was ever paired."""
        return any(number.connected_at for number in self.numbers)

    @property
    def tested(self) -> bool:
        """Whether a message went through a number: a test, or a first reply."""
        return self.replied or any(number.tested_at for number in self.numbers)

    @property
    def broken(self) -> list[Number]:
        """Numbers that should work and do not."""
        return [
            number
            for number in self.numbers
            if number.connected_at
            and number.state not in {NumberState.WORKING, NumberState.PAUSED, NumberState.STARTING}
        ]

    @property
    def set_up(self) -> bool:
        """Whether the business has had its first reply: the list of first steps is over."""
        return self.replied and self.taught


class Overviews:
    """Reads overviews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, person: SignedIn) -> tuple[list[Waiting], int]:
        """Return what waits for this person: the newest few, and how many in all (at most 100)."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            return await _waiting_of(connection, looker)

    async def read(self, person: SignedIn, days: int, *, credits_too: bool) -> Overview:
        """Return the overview of the last ``days`` days, today included."""
        tenant_id = person.business(Permission.READ_REPORTS)
        async with self._database.tenant(tenant_id) as connection:
            waiting, waiting_total = await _waiting_of(connection, viewer(person))
            values = {"tenant_id": tenant_id, "counted_max": _COUNTED_MAX}
            standing = (await connection.execute(_STANDING, values)).one()
            numbers = await numbers_of(connection, tenant_id)
            today = await daily.today_of(connection, tenant_id)
            reach = max(days - 1, BURN_DAYS)
            past = await daily.past_days(connection, tenant_id, today.day - timedelta(days=reach))
            proved = await proofs.of_tenant(connection, tenant_id, rows_max=1)
        shown = _without_gaps([*past, today], today.day, days)
        total = daily.added_up(shown, today.day)
        return Overview(
            numbers=numbers,
            taught=standing.taught,
            replied=standing.replied,
            members=standing.members,
            days=shown,
            total=total,
            p50_s=daily.percentile_s(total.reply_counts, 0.5),
            p95_s=daily.percentile_s(total.reply_counts, 0.95),
            credits=_credits(standing, past, today) if credits_too else None,
            waiting=waiting,
            waiting_total=waiting_total,
            unanswered=standing.unanswered,
            proof=next(iter(proved), None) if credits_too else None,
        )


async def _waiting_of(connection: AsyncConnection, looker: Viewer) -> tuple[list[Waiting], int]:
    values = {**looker.scope, "rows_max": _WAITING_ROWS, "counted_max": _COUNTED_MAX}
    rows = (await connection.execute(_WAITING, values)).all()
    return [_waiting(row) for row in rows], int(rows[0].total) if rows else 0


def _without_gaps(known: list[Day], today: date, days: int) -> list[Day]:
    by_day = {one.day: one for one in known}
    wanted = [today - timedelta(days=back) for back in reversed(range(days))]
    return [by_day.get(day) or Day(day) for day in wanted]


def _credits(standing: Any, past: list[Day], today: Day) -> Credits | None:
    if standing.available_ucr is None:
        return None
    recent = [day for day in past if day.day >= today.day - timedelta(days=BURN_DAYS)]
    # The days that are over tell the pace; on the first day there is only today.
    counted = recent or [today]
    burn_ucr = max(sum(day.spent_ucr for day in counted), 0) // len(counted)
    days_left = standing.available_ucr / burn_ucr if burn_ucr else None
    few = standing.available_ucr < (standing.reply_ucr or 0) * _LOW_REPLIES
    return Credits(
        available_ucr=standing.available_ucr,
        held_ucr=standing.held_ucr,
        stopped=standing.stopped,
        burn_ucr=burn_ucr,
        days_left=days_left,
        low=few or (days_left is not None and days_left < LOW_DAYS),
    )


def _waiting(row: Any) -> Waiting:
    phone = row.address.partition("@")[0] if row.address.endswith("@c.us") else None
    return Waiting(row.id, row.handover_reason, row.left_as, row.last_message_at, row.name, phone)
