"""What a drill left behind: rows of the database, and what the customers' phones show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.local.phone import Bubble
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.money import UCR_PER_CREDIT
from app.messaging.charges import PROOF
from benchmarks.chaos.marks import marks_in, tokens_in
from billing.verify import verify_tenant

_SCOPE = "tenant_id = any(cast(:tenants as uuid[]))"
# Rows come in the order in which the product had the messages: their ids are made under the
# conversation's lock, while `received_at` is when the transaction began to wait for it.
_MESSAGES = text(
    f"""
    select m.body, m.disposition, m.turn_id::text as turn_id
    from messages m where m.{_SCOPE} and m.direction = 'in' order by m.id
    """  # noqa: S608 - a constant of ours
)
_PARTS = text(
    f"""
    select s.turn_id::text as turn_id, p.part_no, p.state, p.resolved_by, p.error,
           p.client_message_id, p.wa_id, m.body, p.attempts
    from send_parts p
    join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
    join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
    where p.{_SCOPE} order by p.created_at, p.id
    """  # noqa: S608
)
# Every hold has to end as its reply did: charged with one that was taken, else given back; only
# a doubtful send may still hold credits.
_CHARGES = text(
    f"""
    with replies as (
        select s.tenant_id, s.hold_id,
               bool_or(p.state in ('accepted', 'sent', 'delivered', 'read')) as accepted,
               bool_or(p.state = 'unknown') as doubtful
        from sends s join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
        where s.{_SCOPE} and s.hold_id is not null group by s.tenant_id, s.hold_id
    )
    select h.state, coalesce(r.accepted, false) as accepted,
           coalesce(r.doubtful, false) as doubtful, count(*) as holds
    from credit_holds h
    left join replies r on r.tenant_id = h.tenant_id and r.hold_id = h.id
    where h.{_SCOPE} group by 1, 2, 3
    """  # noqa: S608
)
_SPENT = text(f"select sum(spent_ucr) from wallets where {_SCOPE}")  # noqa: S608
_OPEN = text(
    f"""
    select
        (select count(*) from inbox_keys where {_SCOPE} and pending) as inbox,
        (select count(*) from messages where {_SCOPE} and direction = 'in') as messages,
        (select count(*) from messages where {_SCOPE} and direction = 'in'
            and disposition is null) as undecided,
        (select count(*) from turns where {_SCOPE} and state in
            ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')) as turns,
        (select count(*) from send_parts where {_SCOPE} and state in ('queued', 'sending'))
            as parts,
        (select count(*) from send_parts where {_SCOPE} and state = 'unknown' and checks < 6)
            as doubtful,
        (select count(*) from credit_holds h where h.{_SCOPE} and h.state = 'pending'
            and not exists (select 1 from sends s join send_parts p
                on p.tenant_id = s.tenant_id and p.send_id = s.id
                where s.tenant_id = h.tenant_id and s.hold_id = h.id and p.state = 'unknown'))
            as holds
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the product has it; `tokens` names it."""

    token: str
    disposition: str | None
    turn_id: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One bubble as the product has it; `marks` are the tokens and tails in it."""

    turn_id: str | None
    state: str
    resolved_by: str | None
    error: str | None
    ids: tuple[str, ...]
    marks: tuple[str, ...]
    attempts: int
    part_no: int = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """One bubble of the assistant on a phone."""

    id: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the verdict is made from. `phones` maps a phone to its bubbles in order.

    `spent_credits` is what the tenants paid, None where nobody asked.
    """

    received: Sequence[Received]
    parts: Sequence[Part]
    phones: Mapping[str, Sequence[Shown]]
    findings: Sequence[str]
    spent_credits: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is not over yet, in rows; `messages` counts those that have arrived at all."""

    inbox: int
    messages: int
    undecided: int
    turns: int
    parts: int
    doubtful: int
    holds: int

    def waits_for(self, messages: int) -> list[str]:
        """What has to end before the verdict, in words; empty when all of it has."""
        counts = {
            "messages not arrived": messages - self.messages,
            "events not read": self.inbox,
            "messages undecided": self.undecided,
            "turns under way": self.turns,
            "parts under way": self.parts,
            "sends in doubt": self.doubtful,
            "holds open": self.holds,
        }
        return [f"{count} {what}" for what, count in counts.items() if count > 0]


def shown_on(bubbles: Sequence[Bubble]) -> list[Shown]:
    """The assistant's bubbles among those a phone shows."""
    return [Shown(b.id, marks_in(b.text)) for b in bubbles if b.author == "assistant"]


class Ledgers:
    """Reads the rows of some tenants, in a connection of its own each time."""

    def __init__(self, environment: Mapping[str, str], tenants: Sequence[UUID]) -> None:
        self._settings = Settings.from_environ(environment)
        self._tenants = list(tenants)

    async def outstanding(self) -> Outstanding:
        """Count what is not over."""
        database = Database.from_settings(self._settings, pool_size=1)
        try:
            async with database.system() as connection:
                row = (await connection.execute(_OPEN, {"tenants": self._tenants})).one()
                return Outstanding(**row._mapping)  # noqa: SLF001 - the row's public mapping
        finally:
            await database.close()

    async def change(self, statement: str) -> None:
        """Run one statement with `:tenants` bound to the tenants' ids."""
        database = Database.from_settings(self._settings, pool_size=1)
        try:
            async with database.system() as connection:
                await connection.execute(text(statement), {"tenants": self._tenants})
        finally:
            await database.close()

    async def read(self, phones: Mapping[str, Sequence[Shown]]) -> Evidence:
        """Read everything once; the phones were read before."""
        database = Database.from_settings(self._settings, pool_size=1)
        try:
            async with database.system() as connection:
                return Evidence(
                    received=await self._received(connection),
                    parts=await self._parts(connection),
                    phones=phones,
                    findings=await self._findings(connection),
                    spent_credits=await self._spent(connection),
                )
        finally:
            await database.close()

    async def _received(self, connection: AsyncConnection) -> list[Received]:
        rows = await connection.execute(_MESSAGES, {"tenants": self._tenants})
        return [
            Received(token, row.disposition, row.turn_id)
            for row in rows
            for token in tokens_in(row.body or "")
        ]

    async def _parts(self, connection: AsyncConnection) -> list[Part]:
        rows = await connection.execute(_PARTS, {"tenants": self._tenants})
        return [_part(row) for row in rows]

    async def _spent(self, connection: AsyncConnection) -> Decimal:
        spent_ucr = await connection.scalar(_SPENT, {"tenants": self._tenants})
        return Decimal(spent_ucr or 0) / UCR_PER_CREDIT

    async def _findings(self, connection: AsyncConnection) -> list[str]:
        """What does not add up in the tenants' credits, in words."""
        found: list[str] = []
        for tenant_id in self._tenants:
            proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
            found += [f"{f.rule}: {f.table} {f.row}: {f.detail}" for f in proof.findings]
        for row in await connection.execute(_CHARGES, {"tenants": self._tenants}):
            wrong = _wrong_charge(row.state, accepted=row.accepted, doubtful=row.doubtful)
            if wrong is not None:
                found += [wrong] * row.holds
        return found


def _part(row: Any) -> Part:
    return Part(
        turn_id=row.turn_id,
        state=row.state,
        resolved_by=row.resolved_by,
        error=row.error,
        ids=tuple(filter(None, (row.wa_id, row.client_message_id))),
        marks=marks_in(row.body or ""),
        attempts=row.attempts,
        part_no=row.part_no,
    )


def _wrong_charge(state: str, *, accepted: bool, doubtful: bool) -> str | None:
    if state == "captured" and not accepted:
        return "a charge without a reply that was taken"
    if state != "captured" and accepted:
        return f"a reply that was taken, its hold {state}"
    if state == "pending" and not doubtful:
        return "a hold that nobody closed"
    return None
