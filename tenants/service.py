"""Making businesses and connecting numbers: each leaves an audit entry and a queue row."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.crypto import Keyring
from tenants.channels import api_key_ref, webhook_secret_ref

_INSERT_TENANT = text(
    """
    insert into tenants (id, slug, name, plan_code, time_zone, locale, country, idle_s, cap_s,
                         handover_text)
    values (:id, :slug, :name, :plan_code, :time_zone, :locale, :country, :idle_s, :cap_s,
            :handover_text)
    """
)
_INSERT_QUEUE = text("insert into tenant_queues (tenant_id) values (:id)")
_INSERT_CHANNEL = text(
    """
    insert into channels (tenant_id, id, key, kind, name, session, webhook_secret, hook_per_min,
                          hook_burst, api_url, api_key, managed)
    values (:tenant_id, :id, :key, 'waha', :name, :session, :webhook_secret, :hook_per_min,
            :hook_burst, :api_url, :api_key, :managed)
    """
)
_INSERT_AUDIT = text(
    """
    insert into audit_log (tenant_id, id, actor_kind, actor_id, action, subject, before, after,
                           reason, address, request_id)
    values (:tenant_id, :id, :actor_kind, :actor_id, :action, :subject, cast(:before as jsonb),
            cast(:after as jsonb), :reason, :address, :request_id)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenant:
    """A business to be made. Durations are seconds; None takes the platform's default."""

    slug: str
    name: str
    plan_code: str
    time_zone: str
    locale: str = "en"
    country: str | None = None
    idle_s: float | None = None
    cap_s: float | None = None
    handover_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A WAHA number to be connected; the secrets are sealed before they are stored.

    ``api_url`` and ``api_key`` are of the business's own WAHA; None: the platform's. The
    session of a ``managed`` number is made and repaired by us; ``id`` is given when the
    session's name is to be derived from it.
    """

    tenant_id: UUID
    name: str
    session: str
    webhook_secret: str = field(repr=False)
    hook_per_min: int | None = None
    hook_burst: int | None = None
    api_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    managed: bool = False
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for the audit trail: what they are, from which address, in which request.

    ``kind`` is one of ``tenants.models.ACTOR_KINDS``.
    """

    kind: str
    id: str | None = None
    address: str | None = None
    request_id: str | None = None

    def entry(
        self,
        action: str,
        subject: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        reason: str | None,
    ) -> dict[str, Any]:
        """Return the columns of a new entry that a business's trail and the platform's share."""
        return {
            "id": ids.uuid7(),
            "actor_kind": self.kind,
            "actor_id": self.id,
            "action": action,
            "subject": subject,
            "before": json.dumps(before) if before is not None else None,
            "after": json.dumps(after) if after is not None else None,
            "reason": reason,
            "address": self.address,
            "request_id": self.request_id,
        }


async def create_tenant(connection: AsyncConnection, new: NewTenant, actor: Actor) -> UUID:
    """Make a business; a taken slug raises the database's uniqueness error."""
    tenant_id = ids.uuid7()
    values = {name: getattr(new, name) for name in NewTenant.__slots__}
    await connection.execute(_INSERT_TENANT, {"id": tenant_id, **values})
    await connection.execute(_INSERT_QUEUE, {"id": tenant_id})
    await record(
        connection,
        tenant_id,
        actor,
        action="tenant.create",
        subject=new.slug,
        after={"name": new.name},
    )
    return tenant_id


async def create_channel(
    connection: AsyncConnection, keyring: Keyring, new: NewChannel, actor: Actor
) -> tuple[UUID, str]:
    """Connect a number; return its id and its URL key."""
    channel_id, key = new.id or ids.uuid7(), ids.channel_key()
    own_key = new.api_key
    sealed = keyring.encrypt(new.webhook_secret, webhook_secret_ref(channel_id))
    await connection.execute(
        _INSERT_CHANNEL,
        {
            "tenant_id": new.tenant_id,
            "id": channel_id,
            "key": key,
            "name": new.name,
            "session": new.session,
            "webhook_secret": sealed,
            "hook_per_min": new.hook_per_min,
            "hook_burst": new.hook_burst,
            "api_url": new.api_url,
            "api_key": keyring.encrypt(own_key, api_key_ref(channel_id)) if own_key else None,
            "managed": new.managed,
        },
    )
    await record(
        connection,
        new.tenant_id,
        actor,
        action="channel.create",
        subject=str(channel_id),
        after={"name": new.name},
    )
    return channel_id, key


async def record(
    connection: AsyncConnection,
    tenant_id: UUID,
    actor: Actor,
    *,
    action: str,
    subject: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Append to the audit trail, in the transaction of the change.

    ``before`` and ``after`` hold what was changed, never a secret.
    """
    await connection.execute(
        _INSERT_AUDIT,
        {"tenant_id": tenant_id, **actor.entry(action, subject, before, after, reason)},
    )
