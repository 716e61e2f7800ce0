"""Open live inboxes on one process: what each costs, and what they leave of a click's speed."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx

from app.http.sessions import Cookies
from benchmarks.figures import percentile
from benchmarks.servers import Servers
from benchmarks.web.data import Business

_CLICKS = 60
_CHANGES = 20
_OPENED_AT_ONCE = 50
_KIB_PER_PAGE = 4
_TOUCH = "update conversations set last_message_at = now() where tenant_id = $1 and id = $2"


@dataclass(frozen=True, slots=True)
class Streams:
    """Memory of one open stream, p95 of a click beside them all, and of a change's way."""

    kib_each: float
    click_p95_ms: float
    told_p95_ms: float


def hold_streams(machine: Servers, business: Business, count: int) -> Streams:
    """Open ``count`` streams on an API process of their own, and measure."""
    machine.environment.update(PARLEY_EDGE_PER_MIN="6000000", PARLEY_EDGE_BURST="6000000")
    api = machine.start_api()
    try:
        return asyncio.run(_hold(machine, business, count, api.pid or 0))
    finally:
        machine.stop(api)


async def _hold(machine: Servers, business: Business, count: int, pid: int) -> Streams:
    url = machine.settings.app_url
    cookie = f"{Cookies(url).session}={business.token}"
    async with httpx.AsyncClient(base_url=url, headers={"Cookie": cookie}, timeout=30) as client:
        for _ in range(5):
            await client.get("/inbox")
        before_kib = _resident_kib(pid)
        streams = await _open_all(url, cookie, count)
        await asyncio.sleep(1)
        after_kib = _resident_kib(pid)
        told = await _changes(machine, business, streams)
        clicks = []
        for _ in range(_CLICKS):
            began_s = time.perf_counter()
            answer = await client.get(f"/inbox/{business.ids['conversation_id']}")
            answer.raise_for_status()
            clicks.append((time.perf_counter() - began_s) * 1000)
        for _, writer in streams:
            writer.close()
    return Streams(
        kib_each=max(after_kib - before_kib, 0) / max(count, 1),
        click_p95_ms=percentile(clicks, 0.95),
        told_p95_ms=percentile(told, 0.95),
    )


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open_all(url: str, cookie: str, count: int) -> list[_Stream]:
    opened: list[_Stream] = []
    while len(opened) < count:
        batch = min(_OPENED_AT_ONCE, count - len(opened))
        opened += await asyncio.gather(*(_open(url, cookie) for _ in range(batch)))
    return opened


async def _open(url: str, cookie: str) -> _Stream:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = (
        "GET /inbox/stream HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Cookie: {cookie}",
        "Accept: text/event-stream",
        "",
        "",
    )
    writer.write("\r\n".join(lines).encode())
    await asyncio.wait_for(reader.readuntil(b"data: null"), 30)
    return reader, writer


async def _changes(machine: Servers, business: Business, streams: list[_Stream]) -> list[float]:
    """Change a conversation some times; how long until the last stream was told, in ms."""
    told = []
    conversation_id: UUID = business.ids["conversation_id"]
    wanted = str(conversation_id).encode()
    connection = await asyncpg.connect(machine.settings.database_system_url)
    try:
        for _ in range(_CHANGES):
            began_s = time.perf_counter()
            await connection.execute(_TOUCH, business.tenant_id, conversation_id)
            await asyncio.wait_for(
                asyncio.gather(*(reader.readuntil(wanted) for reader, _ in streams)), 30
            )
            told.append((time.perf_counter() - began_s) * 1000)
    finally:
        await connection.close()
    return told


def _resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _KIB_PER_PAGE
