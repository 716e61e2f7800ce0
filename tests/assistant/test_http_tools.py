"""Tenants' own tools: what is sent, what is refused, and that nothing leaves its place."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from app.assistant.tools.definitions import ToolDefinition, checked
from app.assistant.tools.grounding import ungrounded
from app.assistant.tools.http import call
from app.core.config import Settings
from app.core.errors import RefusedError
from app.core.outbound import OutboundGuard, outbound_session
from tests.assistant.desk import NOWHERE

pytestmark = pytest.mark.anyio

LOOPBACK = (ip_network("127.0.0.0/8"),)
SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "note": {"type": "string"}},
    "required": ["order_id"],
}
TOOL = ToolDefinition(
    id=NOWHERE,
    name="find_order",
    description="Finds an order by its number.",
    parameters=SCHEMA,
    method="GET",
    url="https://shop.example.com/orders/{{order_id}}?phone={{customer.phone}}",
)


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        found = {"properties": {"a": found}}
    return found


PERSON = {"customer.phone": "353155501", "customer.name": "Ada"}


def defined(**changes: Any) -> ToolDefinition:
    return checked(replace(TOOL, **changes), OutboundGuard(), https_only=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Find Order"},
        {"name": "search_knowledge"},
        {"description": "short"},
        {"method": "TRACE"},
        {"url": "http://shop.example.com/"},
        {"url": "https://{{order_id}}.example.com/"},
        {"url": "https://user:pass@shop.example.com/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://[::1]/"},
        {"url": "https://2130706433/"},
        {"url": "https://shop.example.com/{{tenant.id}}"},
        {"parameters": {"properties": {"a": {"type": "string", "pattern": "(x+)+y"}}}},
        {"parameters": {"properties": {"a": {"$ref": "https://other.example/"}}}},
        {"parameters": deep(300)},
        {"headers": {"Host": "other"}},
        {"headers": {"X-A": "a\nb"}},
        {"timeout_s": 60.0},
        {"parameters": {"properties": {"customer": {"type": "string"}}}},
        {"parameters": {"properties": {"a": {"$ref": "https://evil.example/s"}}}},
        {"parameters": {"properties": {"a": {"type": "strange"}}}},
    ],
)
def test_definitions_that_are_refused(changes: dict[str, Any]):
    with pytest.raises(RefusedError):
        defined(**changes)


def test_only_declared_parameters_are_taken():
    assert defined().parameters["additionalProperties"] is False


@pytest.mark.parametrize(
    ("value", "said", "strange"),
    [
        ("B-2001", "my order is b 2001", []),
        ("B-2001", "where is my order?", ["order_id"]),
        ("two", "where is it?", []),
        ("a@evil.example", "hello", ["order_id"]),
    ],
)
def test_identifiers_are_the_customers_own(value: str, said: str, strange: list[str]):
    assert ungrounded({"order_id": value}, SCHEMA, said, frozenset()) == strange
    assert ungrounded({"order_id": value}, SCHEMA, said, frozenset({value})) == []


@asynccontextmanager
async def shop() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """The tenant's system: remembers requests, answers by the path."""
    seen: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        seen.append({"url": request.raw_path, "headers": request.headers, "body": body})
        if request.path.startswith("/moved"):
            raise web.HTTPFound("http://127.0.0.1:1/inside")
        if request.path.startswith("/large"):
            return web.Response(text="x" * 20_000)
        if request.path.startswith("/slow"):
            await asyncio.sleep(0.4)
        if request.path.startswith("/none"):
            return web.json_response({"error": "no such order"}, status=404)
        return web.json_response({"status": "baked"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        await runner.cleanup()


async def ask(
    session: aiohttp.ClientSession, tool: ToolDefinition, arguments: dict[str, Any]
) -> tuple[str, str]:
    called = await call(
        session,
        tool,
        arguments,
        person=PERSON,
        headers={"Authorization": "Bearer theirs"},
        idempotency_key="k1",
    )
    return called.outcome, called.text


async def test_calls():
    settings = Settings()
    allowed = outbound_session(replace(settings, outbound_allow_cidrs=LOOPBACK), guarded=True)
    closed = outbound_session(replace(settings, outbound_allow_cidrs=()), guarded=True)
    async with allowed, closed, shop() as (url, seen):
        tool = replace(TOOL, url=f"{url}/orders/{{{{order_id}}}}?phone={{{{customer.phone}}}}")
        tricky = {"order_id": "../a?b=c&d/é", "note": "x&y=z", "phone": "999"}
        assert await ask(allowed, tool, tricky) == ("ok", '{"status":"baked"}'.replace(":", ": "))
        path, _, query = seen[-1]["url"].partition("?")
        assert path == "/orders/..%2Fa%3Fb%3Dc%26d%2F%C3%A9"
        assert query == "phone=353155501&note=x%26y%3Dz"
        assert seen[-1]["headers"]["Authorization"] == "Bearer theirs"
        assert seen[-1]["headers"]["Idempotency-Key"] == "k1"

        posts = replace(TOOL, method="POST", url=f"{url}/orders")
        await ask(allowed, posts, {"order_id": "7", "customer": {"phone": "999"}, "tenant": "x"})
        sent = json.loads(seen[-1]["body"])
        assert sent == {"order_id": "7", "customer": {"phone": "353155501", "name": "Ada"}}

        count = len(seen)
        for value in ("", ".", ".."):
            assert (await ask(allowed, tool, {"order_id": value}))[0] == "a value is missing"
        assert (await ask(closed, tool, {"order_id": "7"}))[0] == "refused: address"
        assert len(seen) == count

        moved = replace(TOOL, url=f"{url}/moved")
        assert (await ask(allowed, moved, {}))[0] == "redirected"
        large = replace(TOOL, url=f"{url}/large")
        assert (await ask(allowed, large, {}))[0] == "refused: too_large"
        slow = replace(TOOL, url=f"{url}/slow", timeout_s=0.1)
        assert (await ask(allowed, slow, {}))[0] == "no answer in time"
        outcome, text = await ask(allowed, replace(TOOL, url=f"{url}/none"), {})
        assert outcome == "ok"
        assert "no such order" in text
        gone = replace(TOOL, url="http://127.0.0.1:1/x")
        assert (await ask(allowed, gone, {}))[0] == "cannot be reached"
