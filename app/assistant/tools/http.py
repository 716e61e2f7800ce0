"""Calls of a tenant's own system: one request, guarded, bounded, and its answer is data."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
from sqlalchemy import text

from app.assistant.tools import definitions
from app.assistant.tools.definitions import ToolDefinition
from app.assistant.tools.grounding import ungrounded
from app.assistant.tools.port import ToolContext, ToolResult, refused
from app.core.crypto import Keyring, SecretRef
from app.core.db.engine import Database
from app.core.outbound import OutboundRefused, read_limited
from app.core.text import storable
from app.llm.port import ToolSpec
from app.messaging import contact_facts

_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]+>", re.DOTALL | re.IGNORECASE)
_SCALARS_MAX = 200
_PERSON = text(
    """
    select coalesce(c.name, c.push_name, '') as name,
           (select split_part(a.address, '@', 1) from contact_addresses a
            where a.tenant_id = c.tenant_id and a.contact_id = c.id and a.kind = 'phone'
            order by a.created_at limit 1) as phone
    from contacts c where c.tenant_id = :tenant_id and c.id = :contact_id
    """
)
_HEADERS = text("select headers from tenant_tools where tenant_id = :tenant_id and id = :id")


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes the requests. ``session`` must be a guarded one (``app.core.outbound``)."""

    session: aiohttp.ClientSession
    database: Database
    keyring: Keyring


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a request. ``outcome`` is ``ok`` or a stable word for what went wrong."""

    outcome: str
    status: int | None
    text: str


def headers_ref(tool_id: UUID) -> SecretRef:
    """Return what a tool's sealed headers are bound to."""
    return SecretRef("tenant_tools", "headers", tool_id)


def open_headers(keyring: Keyring, tool_id: UUID, sealed: bytes | None) -> dict[str, str]:
    """Return a tool's headers in clear."""
    if sealed is None:
        return {}
    return msgspec.json.decode(
        keyring.decrypt(bytes(sealed), headers_ref(tool_id)), type=dict[str, str]
    )


@dataclass(frozen=True, slots=True)
class HttpTool:
    """One enabled tool of a tenant."""

    definition: ToolDefinition
    caller: Caller

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        tool = self.definition
        return ToolSpec(tool.name, tool.description, tool.parameters)

    @property
    def trusted_host(self) -> str | None:
        """The tenant's own host."""
        return self.definition.host

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Call the tenant's system for the customer of this conversation."""
        tool = self.definition
        if strange := ungrounded(arguments, tool.parameters, context.said, known):
            return refused(f"Ask the customer for: {', '.join(strange)}.")
        if context.rehearsal and not tool.reads:
            return ToolResult("ok", "Not called: this is a rehearsal.", acted=True)
        person = await self._person(context)
        if isinstance(person, ToolResult):
            return person
        headers = await self._headers(context.tenant_id)
        key = _idempotency_key(context, tool.name, arguments)
        called = await call(
            self.caller.session,
            tool,
            arguments,
            person=person,
            headers=headers,
            idempotency_key=key,
        )
        if called.outcome != "ok":
            return ToolResult("failed", f"It did not work ({called.outcome}). Do not retry.")
        # A refusal of the tenant's system ("too late to cancel") is an answer, and no deed.
        done = called.status is not None and called.status < 300  # noqa: PLR2004
        return ToolResult(
            "ok",
            called.text,
            acted=done and not tool.reads,
            reports=done,
            scalars=_scalars(called.text),
        )

    async def _person(self, context: ToolContext) -> dict[str, str] | ToolResult:
        """Return who the customer is, or why the tool may not be called for them."""
        if context.rehearsal:
            return {"customer.phone": "10000000000", "customer.name": "Rehearsal"}
        tenant_id, contact_id = context.tenant_id, context.contact_id
        async with self.caller.database.tenant(tenant_id) as connection:
            if self.definition.needs_verified and not await contact_facts.is_verified(
                connection, tenant_id, contact_id
            ):
                return refused("The customer must be verified first: use verify_customer.")
            values = {"tenant_id": tenant_id, "contact_id": contact_id}
            row = (await connection.execute(_PERSON, values)).one()
        return {
            "customer.phone": row.phone or "",
            "customer.name": row.name,
            "customer.id": str(contact_id),
            "conversation.id": str(context.conversation_id),
        }

    async def _headers(self, tenant_id: UUID) -> dict[str, str]:
        async with self.caller.database.tenant(tenant_id) as connection:
            values = {"tenant_id": tenant_id, "id": self.definition.id}
            sealed = await connection.scalar(_HEADERS, values)
        return open_headers(self.caller.keyring, self.definition.id, sealed)


async def call(
    session: aiohttp.ClientSession,
    tool: ToolDefinition,
    arguments: Mapping[str, Any],
    *,
    person: Mapping[str, str],
    headers: Mapping[str, str],
    idempotency_key: str,
) -> Called:
    """Make the request of a tool; never raises for what the other side does.

    Only declared parameters are sent: in the URL's places, the rest in the query (GET, DELETE)
    or in a JSON body, beside a ``customer`` object that product code fills.
    """
    declared = {k: v for k, v in arguments.items() if k in tool.parameters["properties"]}
    in_url = definitions.places(tool.url)
    values = {**declared, **person}
    if any(definitions.plain(values.get(place)).strip(". ") == "" for place in in_url):
        # An empty place, or dots, would call another path than the owner meant.
        return Called("a value is missing", None, "")
    rest = {k: v for k, v in declared.items() if k not in in_url}
    url = definitions.fill(tool.url, values)
    send: dict[str, Any] = {}
    if tool.method in {"GET", "DELETE"}:
        if rest:
            query = "&".join(definitions.fill(f"{k}={{{{{k}}}}}", rest) for k in rest)
            url += ("&" if "?" in url else "?") + query
    else:
        customer = {k.partition(".")[2]: v for k, v in person.items() if k.startswith("customer.")}
        send["data"] = msgspec.json.encode({**rest, "customer": customer})
    ours = {
        "Accept": "application/json",
        "User-Agent": "Parley-Tool/1",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
    }
    try:
        async with session.request(
            tool.method,
            _as_written(url),
            headers={**ours, **headers},
            timeout=aiohttp.ClientTimeout(total=tool.timeout_s),
            allow_redirects=False,
            **send,
        ) as response:
            body = await read_limited(response, tool.response_bytes_max)
            return _read(response.status, body)
    except OutboundRefused as error:
        return Called(f"refused: {error.reason}", None, "")
    except TimeoutError:
        return Called("no answer in time", None, "")
    except (aiohttp.ClientError, ValueError, OSError):
        return Called("cannot be reached", None, "")


def _as_written(url: str) -> Any:
    from yarl import URL

    return URL(url, encoded=True)


def _read(status: int, body: bytes) -> Called:
    told = storable(_TAGS.sub(" ", body.decode("utf-8", "replace"))).strip()
    if 300 <= status < 400:  # noqa: PLR2004
        return Called("redirected", status, "")
    if status >= 400:  # noqa: PLR2004
        # A refusal of the tenant's system is an answer: "no such order" is what the customer asked.
        outcome = "ok" if status in {404, 409, 422} else f"answered {status}"
        return Called(outcome, status, f"Status {status}. {told}")
    return Called("ok", status, told or f"Status {status}, without content.")


def _scalars(body: str) -> frozenset[str]:
    """Return the single values of a JSON answer; words inside longer texts are none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return frozenset()
    found: set[str] = set()
    stack = [value]
    while stack and len(found) < _SCALARS_MAX:
        each = stack.pop()
        if isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list):
            stack += each
        elif isinstance(each, str | int | float) and " " not in str(each):
            found.add(str(each))
    return frozenset(found)


def _idempotency_key(context: ToolContext, name: str, arguments: Mapping[str, Any]) -> str:
    """Return a key that a repetition of this call shares, also in the turn that follows it."""
    facts = [
        str(context.conversation_id),
        name,
        f"{context.local_time:%Y-%m-%d}",
        msgspec.json.encode(dict(sorted(arguments.items()))).decode(),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:40]
