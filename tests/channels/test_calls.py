"""Calls of a WAHA server that does not answer in one piece."""

import asyncio
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from app.channels.port import ChannelAccess
from app.channels.waha.calls import WahaCalls

pytestmark = pytest.mark.anyio


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"qr": "be', b"gin", b' end"}'):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    app = web.Application()
    app.router.add_get("/api/x", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
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
            calls = WahaCalls(trusted=session, guarded=session)
            told = await calls.call(access, "GET", "/api/x", None, timeout_s=5)
    finally:
        await runner.cleanup()
    assert told == {"qr": "begin end"}
