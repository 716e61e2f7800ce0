"""Closing a business: thirty days to think it over, then everything goes but amounts.

The erasure walks the schema itself, in the order that foreign keys allow, so a table that is
added tomorrow is erased too. It works in bounded steps, each a transaction: a step that is
repeated or cut off does no harm.
"""

import logging
from datetime import datetime
from graphlib import TopologicalSorter
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError
from tenants import service
from tenants.access import Permission
from tenants.accounts import Accounts
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import Actor

log = logging.getLogger(__name__)

GRACE_DAYS = 30
STEP_ROWS_MAX = 20_000
KEPT = frozenset(
    {
        "wallets",
        "credit_lots",
        "credit_holds",
        "hold_parts",
        "credit_ops",
        "credit_minutes",
        "credit_requests",
        "charge_days",
        "charge_day_revenue",
        "journal",
        "ledger_proofs",
        "payments",
        "payment_reversals",
        # Emptied by the worker that deletes the files themselves.
        "media_garbage",
    }
)
"""Books: amounts, dates and the numbers of invoices. No message, no customer, no payer's name."""

_TRAIL = "audit_log"

_CLOSE = text(
    """
    update tenants set status = 'closing', erase_due_at = now() + make_interval(days => :days)
    where id = :id and status in ('active', 'suspended') returning erase_due_at, name
    """
)
# Stripe goes on charging whatever we delete: the subscription has to end there first.
_IS_CHARGED = text(
    """
    select 1 from subscriptions
    where tenant_id = :id and provider_ref is not null and not cancels_at_period_end
    """
)
_REOPEN = text(
    """
    update tenants set status = 'active', erase_due_at = null
    where id = :id and status = 'closing' and erase_due_at > now() returning id
    """
)
_ERASE_DUE = text("select erase_due_at from tenants where id = :id and status = 'closing'")
_OWNERS = text(
    """
    select u.email, u.locale from memberships m join users u on u.id = m.user_id
    where m.tenant_id = :id and m.role = 'owner' and u.disabled_at is null order by u.email
    """
)
_DUE = text(
    """
    select id from tenants where status = 'closing' and erase_due_at < now()
    order by erase_due_at limit 1 for update skip locked
    """
)
_TABLES = text(
    """
    select c.relname from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and not c.relispartition
    """
)
_REFERENCES = text(
    """
    select k.conrelid::regclass::text as child, k.confrelid::regclass::text as parent
    from pg_constraint k where k.contype = 'f' and k.conrelid <> k.confrelid
      and k.connamespace = 'public'::regnamespace
    """
)
# Who paid stands on the invoice at the payment provider; links to it would lead back there.
_FORGET_PAYERS = text(
    """
    update payments set billed_name = null, billed_address = null, billed_country = null,
        billed_tax_id = null, invoice_url = null, receipt_url = null
    where tenant_id = :id
    """
)
_PURGE_TRAIL = text("select audit_purge(:id)")
_FINISH = text(
    """
    update tenants set status = 'closed', closed_at = now(), erase_due_at = null,
        name = 'Closed business', slug = 'closed-' || id, country = null, handover_text = null,
        billing_email = null
    where id = :id
    """
)


class Closing:
    """Closes a business on an owner's word, and opens it again while there is time."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._database = accounts.database

    async def close(self, person: SignedIn, device: Device) -> datetime:
        """Stop the business at once and plan its erasure; return when that is due.

        Raises:
            StepUpNeededError: the last proof is not recent.
            ConflictError: it is closing already, or a subscription is still being charged.
        """
        tenant_id = person.business(Permission.CLOSE_BUSINESS)
        async with self._database.system() as connection:
            if await connection.scalar(_IS_CHARGED, {"id": tenant_id}):
                raise ConflictError(
                    "A paid subscription runs. Cancel it under Credits first, then close the"
                    " business."
                )
            values = {"id": tenant_id, "days": GRACE_DAYS}
            row = (await connection.execute(_CLOSE, values)).one_or_none()
            if row is None:
                raise ConflictError("The business is being closed already.")
            due: datetime = row.erase_due_at
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="business.close",
                subject=str(tenant_id),
                after={"erase_due_at": due.isoformat()},
            )
            for owner in (await connection.execute(_OWNERS, {"id": tenant_id})).all():
                letter = self._accounts.letters(owner.locale).closing_business(row.name, due)
                await self._accounts.mail(connection, owner.email, letter, device)
        return due

    async def reopen(self, person: SignedIn, device: Device) -> None:
        """Open the business again; ConflictError when it is not closing, or too late."""
        tenant_id = person.business(Permission.CLOSE_BUSINESS)
        await reopen(self._accounts, tenant_id, actor_of(person, device))


async def erase_due_at(connection: AsyncConnection, tenant_id: UUID) -> datetime | None:
    """Return when a closing business is erased; None for one that is not being closed."""
    due: datetime | None = await connection.scalar(_ERASE_DUE, {"id": tenant_id})
    return due


async def reopen(accounts: Accounts, tenant_id: UUID, actor: Actor) -> None:
    """Open a closing business again, for an owner or an operator."""
    async with accounts.database.system() as connection:
        if await connection.scalar(_REOPEN, {"id": tenant_id}) is None:
            raise ConflictError("The business is not being closed, or its time is over.")
        await service.record(
            connection, tenant_id, actor, action="business.reopen", subject=str(tenant_id)
        )


async def erase_due(connection: AsyncConnection, *, rows_max: int = STEP_ROWS_MAX) -> int:
    """Take one step of erasing the business whose time is over; return how many rows went.

    Args:
        connection: a system transaction of its own; its commit makes the step durable.
        rows_max: how many rows one step deletes.
    """
    tenant_id: UUID | None = await connection.scalar(_DUE)
    if tenant_id is None:
        return 0
    gone = 0
    for table in await erasable_tables(connection):
        # A row's place is unique within a partition only, so its table belongs to it.
        statement = text(
            f"delete from {table} where tenant_id = :id and (tableoid, ctid) in"  # noqa: S608 - from the catalog
            f" (select tableoid, ctid from {table} where tenant_id = :id limit :rows_max)"
        )
        values = {"id": tenant_id, "rows_max": rows_max - gone}
        gone += (await connection.execute(statement, values)).rowcount
        if gone >= rows_max:
            return gone
    await connection.execute(_FORGET_PAYERS, {"id": tenant_id})
    await connection.execute(_FINISH, {"id": tenant_id})
    trail = await connection.scalar(_PURGE_TRAIL, {"id": tenant_id})
    log.info("a closed business was erased", extra={"count": gone + int(trail or 0)})
    return gone + int(trail or 0) + 1


async def erasable_tables(connection: AsyncConnection) -> list[str]:
    """Return the tables that a closed business leaves, children before parents."""
    tables = set((await connection.execute(_TABLES)).scalars()) - KEPT - {_TRAIL}
    order: TopologicalSorter[str] = TopologicalSorter({table: set() for table in tables})
    for row in await connection.execute(_REFERENCES):
        if row.child in tables and row.parent in tables:
            order.add(row.parent, row.child)
    return [table for table in order.static_order() if table in tables]
