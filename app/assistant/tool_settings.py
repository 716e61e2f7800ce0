"""A business's own tools as its people set them: made, tried, switched on, changed, removed.

A tool is switched on only after a try that worked with exactly this definition: any change
switches it off again. Header values are written once and never shown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp
import jsonschema
import msgspec
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.tools import definitions
from app.assistant.tools.definitions import TOOLS_MAX, ToolDefinition
from app.assistant.tools.http import Called, call, headers_ref, open_headers
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.core.outbound import outbound_guard
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn

TRIAL_PERSON = {
    "customer.phone": "10000000000",
    "customer.name": "Test",
    "customer.id": str(UUID(int=0)),
    "conversation.id": str(UUID(int=0)),
}
_COLUMNS = """
    id, name, description, parameters, method, url, headers, timeout_s, response_bytes_max,
    needs_verified, enabled, tried_at from tenant_tools where tenant_id = :tenant_id
"""
_LIST = text(f"select {_COLUMNS} order by name limit {TOOLS_MAX}")
_ONE = text(f"select {_COLUMNS} and id = :id")
_COUNT = text("select count(*) from tenant_tools where tenant_id = :tenant_id")
_SAVE = text(
    """
    insert into tenant_tools (tenant_id, id, name, description, parameters, method, url, headers,
                              timeout_s, response_bytes_max, needs_verified)
    values (:tenant_id, :id, :name, :description, cast(:parameters as jsonb), :method, :url,
            :headers, :timeout_s, :response_bytes_max, :needs_verified)
    on conflict (tenant_id, id) do update set name = excluded.name,
        description = excluded.description, parameters = excluded.parameters,
        method = excluded.method, url = excluded.url, headers = excluded.headers,
        timeout_s = excluded.timeout_s, response_bytes_max = excluded.response_bytes_max,
        needs_verified = excluded.needs_verified, enabled = false, tried_at = null,
        updated_at = now()
    """
)
# Only the definition that was tried: a change in between has another updated_at.
_TRIED = text(
    """
    update tenant_tools set tried_at = now() where tenant_id = :tenant_id and id = :id
      and updated_at = :updated_at
    """
)
_UPDATED = text("select updated_at from tenant_tools where tenant_id = :tenant_id and id = :id")
_SWITCH = text(
    """
    update tenant_tools set enabled = :on
    where tenant_id = :tenant_id and id = :id and (tried_at is not null or not :on) returning id
    """
)
_REMOVE = text("delete from tenant_tools where tenant_id = :tenant_id and id = :id returning name")


@dataclass(frozen=True, slots=True)
class TenantTool:
    """A tool as its page shows it; ``header_names`` without their values."""

    definition: ToolDefinition
    header_names: Sequence[str]
    tried_at: datetime | None


class ToolSettings:
    """What pages do with tools. ``session`` must be a guarded one."""

    def __init__(
        self, database: Database, settings: Settings, session: aiohttp.ClientSession
    ) -> None:
        self._database = database
        self._settings = settings
        self._session = session

    async def listed(self, person: SignedIn) -> list[TenantTool]:
        """Return the business's tools by name."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.execute(_LIST, {"tenant_id": tenant_id})
            return [self._tool(row) for row in rows]

    async def one(self, person: SignedIn, tool_id: UUID) -> TenantTool:
        """Return a tool; NotFoundError when it is unknown or foreign."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            return self._tool(await _row(connection, tenant_id, tool_id))

    async def save(
        self,
        person: SignedIn,
        wanted: ToolDefinition,
        device: Device,
        *,
        keep_headers: Sequence[str] = (),
        new: bool,
    ) -> None:
        """Make or change a tool; it is off until it has been tried.

        Args:
            person: who does it.
            wanted: the definition, with the header values that were typed.
            device: for the audit.
            keep_headers: names of stored headers whose values stay.
            new: True for one that is not there yet.
        """
        tenant_id = _tenant(person)
        guard = outbound_guard(self._settings)
        https_only = self._settings.production
        async with self._database.tenant(tenant_id) as connection:
            old: Mapping[str, str] = {}
            if new:
                count = await connection.scalar(_COUNT, {"tenant_id": tenant_id})
                if int(count or 0) >= TOOLS_MAX:
                    raise ConflictError("A business has at most %(most)s tools.", most=TOOLS_MAX)
            else:
                row = await _row(connection, tenant_id, wanted.id)
                if _origin(row.url) == _origin(wanted.url):
                    old = open_headers(self._settings.keyring(), row.id, row.headers)
                elif keep_headers and row.headers is not None:
                    # Who may edit a tool may not read its secrets, by sending them elsewhere.
                    raise RefusedError(
                        "The tool would call another server. Give its headers again."
                    )
            kept = {name: old[name] for name in keep_headers if name in old}
            tool = replace(wanted, headers={**kept, **wanted.headers})
            tool = definitions.checked(tool, guard, https_only=https_only)
            try:
                await connection.execute(_SAVE, self._values(tenant_id, tool))
            except IntegrityError:
                raise ConflictError("There is a tool of this name already.") from None
            action = "assistant.create_tool" if new else "assistant.change_tool"
            await service.record(
                connection, tenant_id, actor_of(person, device), action=action, subject=tool.name
            )

    async def attempt(
        self, person: SignedIn, tool_id: UUID, arguments: Mapping[str, Any]
    ) -> Called:
        """Call a tool with test values and a test customer; one that answers may be switched on.

        Raises:
            RefusedError: the arguments do not fit the tool's parameters.
        """
        tenant_id = _tenant(person)
        key = {"tenant_id": tenant_id, "id": tool_id}
        async with self._database.tenant(tenant_id) as connection:
            row = await _row(connection, tenant_id, tool_id)
            updated_at = await connection.scalar(_UPDATED, key)
        tool = self._tool(row).definition
        problem = next(
            jsonschema.Draft202012Validator(tool.parameters).iter_errors(dict(arguments)), None
        )
        if problem is not None:
            raise RefusedError(
                "The test values do not fit: %(message)s.", message=problem.message[:200]
            )
        headers = open_headers(self._settings.keyring(), row.id, row.headers)
        called = await call(
            self._session,
            tool,
            arguments,
            person=TRIAL_PERSON,
            headers=headers,
            idempotency_key=ids.secret_token(),
        )
        if called.outcome == "ok":
            async with self._database.tenant(tenant_id) as connection:
                await connection.execute(_TRIED, {**key, "updated_at": updated_at})
        return called

    async def switch(self, person: SignedIn, tool_id: UUID, device: Device, *, on: bool) -> None:
        """Switch a tool on or off; ConflictError when it has not been tried."""
        tenant_id = _tenant(person)
        key = {"tenant_id": tenant_id, "id": tool_id}
        async with self._database.tenant(tenant_id) as connection:
            row = await _row(connection, tenant_id, tool_id)
            if await connection.scalar(_SWITCH, {**key, "on": on}) is None:
                raise ConflictError("Try the tool first: it has not answered yet as it is now.")
            action = "assistant.enable_tool" if on else "assistant.disable_tool"
            await service.record(
                connection, tenant_id, actor_of(person, device), action=action, subject=row.name
            )

    async def remove(self, person: SignedIn, tool_id: UUID, device: Device) -> None:
        """Remove a tool for good; NotFoundError when it is unknown or foreign."""
        tenant_id = _tenant(person)
        async with self._database.tenant(tenant_id) as connection:
            name = await connection.scalar(_REMOVE, {"tenant_id": tenant_id, "id": tool_id})
            if name is None:
                raise NotFoundError("There is no such tool.")
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="assistant.remove_tool",
                subject=name,
            )

    def _values(self, tenant_id: UUID, tool: ToolDefinition) -> dict[str, Any]:
        sealed = None
        if tool.headers:
            plain = msgspec.json.encode(dict(tool.headers)).decode()
            sealed = self._settings.keyring().encrypt(plain, headers_ref(tool.id))
        return {
            "tenant_id": tenant_id,
            "id": tool.id,
            "name": tool.name,
            "description": tool.description,
            "parameters": msgspec.json.encode(tool.parameters).decode(),
            "method": tool.method,
            "url": tool.url,
            "headers": sealed,
            "timeout_s": tool.timeout_s,
            "response_bytes_max": tool.response_bytes_max,
            "needs_verified": tool.needs_verified,
        }

    def _tool(self, row: Any) -> TenantTool:
        definition = ToolDefinition(
            id=row.id,
            name=row.name,
            description=row.description,
            parameters=row.parameters,
            method=row.method,
            url=row.url,
            timeout_s=row.timeout_s,
            response_bytes_max=row.response_bytes_max,
            needs_verified=row.needs_verified,
            enabled=row.enabled,
        )
        names = sorted(open_headers(self._settings.keyring(), row.id, row.headers))
        return TenantTool(definition, names, row.tried_at)


async def _row(connection: AsyncConnection, tenant_id: UUID, tool_id: UUID) -> Any:
    row = (await connection.execute(_ONE, {"tenant_id": tenant_id, "id": tool_id})).one_or_none()
    if row is None:
        raise NotFoundError("There is no such tool.")
    return row


def _origin(url: str) -> tuple[str, str]:
    """Return where a URL leads to, and how: there the stored secrets go."""
    scheme, _, rest = url.partition("://")
    return scheme.lower(), re.split(r"[/?#]", rest, maxsplit=1)[0].lower()


def _tenant(person: SignedIn) -> UUID:
    return person.business(Permission.EDIT_ASSISTANT)
