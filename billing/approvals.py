"""Credits that people give and take: on record with a reason, above a limit by two people.

A request is applied at once while what its author gave alone within 24 hours, this one
included, stays at or below the platform setting ``grant_approval_limit_ucr``; above it a second
person approves or rejects. So many small gifts are one large one. What is taken back is counted
apart. Applying is one transaction with the ledger's call and the audit entry. The lot or operation
carries the request's id, so nothing is applied twice. (The operator's ``parley credits grant``
needs no approval: it is the system's own access, and names its author in the journal.)
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from app.core.money import format_credits
from billing.ledger import service as ledger
from billing.ledger.schemas import Clawback, Grant, GrantOutcome, OpOutcome, Refund
from tenants.service import Actor, record

APPROVAL_LIMIT_SETTING = "grant_approval_limit_ucr"
APPROVAL_LIMIT_UCR = 1_000_000_000
"""Where the setting is missing: 1 000 credits."""

_COLUMNS = (
    "tenant_id, id, kind, source, amount_ucr, hold_id, expires_at, reason, needs_approval, state,"
    " requested_by, decided_by, decided_at, decision_reason, applied_at, created_at"
)
_LIMIT = text("select cast(value->>'value' as bigint) from platform_settings where name = :name")
# One request of an author at a time: two that arrive together see each other.
_LOCK_AUTHOR = text("select pg_advisory_xact_lock(hashtext('credit_requests:' || :requested_by))")
_ALONE = text(
    """
    select coalesce(sum(amount_ucr), 0)::bigint from credit_requests
    where requested_by = :requested_by and created_at > now() - interval '24 hours'
      and state = 'applied' and decided_by is null and (kind = 'claw') = :takes
    """
)
_IS_OVER = text("select cast(:expires_at as timestamptz) <= now()")
_INSERT = text(
    """
    insert into credit_requests (tenant_id, id, kind, source, amount_ucr, hold_id, expires_at,
                                 reason, needs_approval, requested_by, request_id)
    values (:tenant_id, :id, :kind, :source, :amount_ucr, :hold_id, :expires_at, :reason,
            :needs_approval, :requested_by, :request_id)
    """
)
_FIND = text(
    f"select {_COLUMNS} from credit_requests"  # noqa: S608
    " where tenant_id = :tenant_id and id = :id for update"
)
_LIST = text(
    f"select {_COLUMNS} from credit_requests"  # noqa: S608
    " where state = 'requested' or not :open_only order by created_at desc, id desc"
    " limit :rows_max"
)
_OF_BUSINESS = text(
    f"select {_COLUMNS} from credit_requests where tenant_id = :tenant_id"  # noqa: S608
    " order by created_at desc, id desc limit :rows_max"
)
_DECIDE = text(
    """
    update credit_requests set state = :state, decided_by = :decided_by, decided_at = now(),
                               decision_reason = :decision_reason
    where tenant_id = :tenant_id and id = :id and state = 'requested'
    """
)
_APPLIED = text(
    """
    update credit_requests set state = 'applied', applied_at = now()
    where tenant_id = :tenant_id and id = :id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks for.

    Attributes:
        kind: ``grant`` (credits as a new lot), ``claw`` (take back) or ``refund`` (of a charge).
        source: of a grant: ``promo`` or ``correction``.
        hold_id: of a refund: the charge.
        expires_at: of a grant: when what is left of it expires.
    """

    tenant_id: UUID
    kind: str
    amount_ucr: int
    reason: str
    source: str | None = None
    hold_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRequest:
    """A request as it stands: ``requested``, ``rejected`` or ``applied``."""

    tenant_id: UUID
    id: UUID
    kind: str
    source: str | None
    amount_ucr: int
    hold_id: UUID | None
    expires_at: datetime | None
    reason: str
    needs_approval: bool
    state: str
    requested_by: str
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    applied_at: datetime | None
    created_at: datetime


async def approval_limit_ucr(connection: AsyncConnection) -> int:
    """Return the amount above which a second person is needed."""
    found: int | None = await connection.scalar(_LIMIT, {"name": APPROVAL_LIMIT_SETTING})
    return APPROVAL_LIMIT_UCR if found is None else found


async def applied_alone_ucr(
    connection: AsyncConnection, author: str, *, takes: bool = False
) -> int:
    """Return what somebody gave (or took back) within 24 hours without a second person."""
    values = {"requested_by": author, "takes": takes}
    return int(await connection.scalar(_ALONE, values) or 0)


async def request(connection: AsyncConnection, asked: Asked, actor: Actor) -> CreditRequest:
    """Record a request (system scope), and apply it at once where one person is enough.

    Raises:
        RefusedError: terms that cannot be, or the ledger's refusal; nothing is recorded then.
    """
    _check(asked)
    if await connection.scalar(_IS_OVER, {"expires_at": asked.expires_at}):
        raise RefusedError("Credits that expire must do so in the future.")
    request_id, author = ids.uuid7(), who(actor)
    await connection.execute(_LOCK_AUTHOR, {"requested_by": author})
    alone_ucr = await applied_alone_ucr(connection, author, takes=asked.kind == "claw")
    values = {
        **asdict(asked),
        "id": request_id,
        "needs_approval": alone_ucr + asked.amount_ucr > await approval_limit_ucr(connection),
        "requested_by": author,
        "request_id": actor.request_id,
    }
    await connection.execute(_INSERT, values)
    made = await find(connection, asked.tenant_id, request_id)
    await _record(connection, made, actor, "request", made.reason)
    return made if made.needs_approval else await _apply(connection, made, actor)


async def approve(
    connection: AsyncConnection, tenant_id: UUID, request_id: UUID, actor: Actor, reason: str = ""
) -> CreditRequest:
    """Approve somebody else's request and apply it (system scope).

    Raises:
        ForbiddenError: the approver asked for it.
        ConflictError: it was decided already.
        RefusedError: the ledger's refusal; the request stays open.
    """
    made = await _decide(connection, tenant_id, request_id, actor, "approved", reason)
    return await _apply(connection, made, actor)


async def reject(
    connection: AsyncConnection, tenant_id: UUID, request_id: UUID, actor: Actor, reason: str
) -> CreditRequest:
    """Reject somebody else's request (system scope); errors as of ``approve``."""
    made = await _decide(connection, tenant_id, request_id, actor, "rejected", reason)
    await _record(connection, made, actor, "reject", reason)
    return made


async def find(connection: AsyncConnection, tenant_id: UUID, request_id: UUID) -> CreditRequest:
    """Read one request and lock it; NotFoundError when there is none."""
    values = {"tenant_id": tenant_id, "id": request_id}
    row = (await connection.execute(_FIND, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such request.")
    return CreditRequest(**row._mapping)  # noqa: SLF001


async def requests(
    connection: AsyncConnection, *, open_only: bool = True, rows_max: int = 100
) -> list[CreditRequest]:
    """List requests, the newest first: all in system scope, else the tenant's own."""
    rows = await connection.execute(_LIST, {"open_only": open_only, "rows_max": rows_max})
    return [CreditRequest(**row._mapping) for row in rows]  # noqa: SLF001


async def of_business(
    connection: AsyncConnection, tenant_id: UUID, *, rows_max: int = 10
) -> list[CreditRequest]:
    """List one business's requests, the newest first."""
    values = {"tenant_id": tenant_id, "rows_max": rows_max}
    rows = await connection.execute(_OF_BUSINESS, values)
    return [CreditRequest(**row._mapping) for row in rows]  # noqa: SLF001


def who(actor: Actor) -> str:
    """Return an actor as the ledger writes authors: ``admin:<id>``."""
    return f"{actor.kind}:{actor.id}" if actor.id else actor.kind


def _check(asked: Asked) -> None:
    if asked.kind not in {"grant", "claw", "refund"}:
        raise RefusedError("A request is a grant, a claw or a refund.")
    if asked.amount_ucr <= 0:
        raise RefusedError("The amount must be above 0 credits.")
    if not asked.reason.strip():
        raise RefusedError("Say why: the reason goes on record.")
    if (asked.kind == "grant") != (asked.source in {"promo", "correction"}):
        raise RefusedError("A grant names its source, promo or correction; nothing else does.")
    if asked.expires_at is not None and (asked.kind != "grant" or asked.expires_at.tzinfo is None):
        raise RefusedError("Only a grant expires, at a moment with a time zone.")
    if (asked.kind == "refund") != (asked.hold_id is not None):
        raise RefusedError("A refund names the charge that it gives back; nothing else does.")


async def _decide(  # noqa: PLR0917 - private, all by position
    connection: AsyncConnection,
    tenant_id: UUID,
    request_id: UUID,
    actor: Actor,
    state: str,
    reason: str,
) -> CreditRequest:
    made = await find(connection, tenant_id, request_id)
    if made.state != "requested":
        raise ConflictError("This request was decided already.")
    if made.requested_by == who(actor):
        raise ForbiddenError("Somebody else has to decide what you asked for.")
    await connection.execute(
        _DECIDE,
        {
            "tenant_id": tenant_id,
            "id": request_id,
            "state": state,
            "decided_by": who(actor),
            "decision_reason": reason or None,
        },
    )
    return await find(connection, tenant_id, request_id)


async def _apply(connection: AsyncConnection, made: CreditRequest, actor: Actor) -> CreditRequest:
    outcome = await _move(connection, made, actor)
    if outcome not in {GrantOutcome.GRANTED, OpOutcome.CLAWED, OpOutcome.REFUNDED}:
        credit = format_credits(made.amount_ucr)
        raise RefusedError(
            "The ledger refused to move %(amount)s credits: %(outcome)s.",
            amount=credit,
            outcome=outcome,
        )
    await connection.execute(_APPLIED, {"tenant_id": made.tenant_id, "id": made.id})
    await _record(connection, made, actor, "apply", made.decision_reason or made.reason)
    return await find(connection, made.tenant_id, made.id)


async def _move(
    connection: AsyncConnection, made: CreditRequest, actor: Actor
) -> GrantOutcome | OpOutcome:
    terms: dict[str, Any] = {
        "tenant_id": made.tenant_id,
        "amount_ucr": made.amount_ucr,
        "reason": made.reason,
        "created_by": made.requested_by,
        "approved_by": made.decided_by,
        "request_id": actor.request_id,
    }
    if made.kind == "grant":
        grant = Grant(
            **terms,
            lot_id=made.id,
            source=made.source or "correction",
            source_ref=f"request:{made.id}",
            expires_at=made.expires_at,
        )
        return await ledger.grant(connection, grant)
    if made.hold_id is not None:
        refund = Refund(**terms, op_id=made.id, hold_id=made.hold_id)
        return await ledger.refund(connection, refund)
    return await ledger.claw(connection, Clawback(**terms, op_id=made.id))


async def _record(
    connection: AsyncConnection, made: CreditRequest, actor: Actor, verb: str, reason: str
) -> None:
    await record(
        connection,
        made.tenant_id,
        actor,
        action=f"credits.{verb}",
        subject=str(made.id),
        after={
            "kind": made.kind,
            "source": made.source,
            "amount_ucr": made.amount_ucr,
            "requested_by": made.requested_by,
            "decided_by": made.decided_by,
        },
        reason=reason,
    )
