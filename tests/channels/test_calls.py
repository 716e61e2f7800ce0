"""Calls of a WAHA server that does not answer in one piece, or not with what was asked for."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from app.channels.port import ChannelAccess
from app.channels.waha.calls import WahaCalls
from app.channels.waha.client import WahaClient
from app.core.errors import ProviderError

pytestmark = pytest.mark.anyio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(
    path: str, handler: Handler
) -> AsyncIterator[tuple[aiohttp.ClientSession, ChannelAccess]]:
    """A WAHA server with one route, and how it is reached."""
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            access = ChannelAccess(
                channel_id=UUID(int=0),
                api_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
                api_key="",
                session="desk",
                guarded=False,
                engine=None,
                engine_version=None,
            )
            yield session, access
    finally:
        await runner.cleanup()


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"qr": "be', b"gin", b' end"}'):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    async with answering("/api/x", answer) as (session, access):
        calls = WahaCalls(trusted=session, guarded=session)
        told = await calls.call(access, "GET", "/api/x", None, timeout_s=5)
    assert told == {"qr": "begin end"}


async def listed(answer: bytes) -> list[object]:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=answer)

    async with answering("/api/messages", handler) as (session, access):
        client = WahaClient(trusted=session, guarded=session, send_timeout_s=5)
        return [*await client.list_messages(access, since_s=0, limit=100, offset=0)]


async def test_a_list_with_thumbnails_is_read_whole() -> None:
    messages = [{"id": f"false_1@c.us_{n}", "_data": {"jpeg": "x" * 40_000}} for n in range(100)]
    assert await listed(json.dumps(messages).encode()) == messages


@pytest.mark.parametrize("answer", [b"", b"<html>", b'{"messages": []}', b'[{"id": "fal'])
async def test_what_is_no_list_does_not_pass_for_an_empty_one(answer: bytes) -> None:
    with pytest.raises(ProviderError):
        await listed(answer)


async def sent(answer: bytes) -> str | None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=201, body=answer)

    async with answering("/api/sendText", handler) as (session, access):
        client = WahaClient(trusted=session, guarded=session, send_timeout_s=5)
        return await client.send_text(access, "15550100@c.us", "Hello", None)


async def test_an_accepted_text_has_the_id_that_is_told() -> None:
    assert await sent(b'{"key": {"id": "3EB0A1"}}') == "3EB0A1"
    assert await sent(b'{"id": null}') is None


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"id": "true_1'])
async def test_a_send_whose_answer_is_no_message_may_or_may_not_have_happened(
    answer: bytes,
) -> None:
    with pytest.raises(ProviderError) as raised:
        await sent(answer)
    assert raised.value.ambiguous
    assert raised.value.retryable
