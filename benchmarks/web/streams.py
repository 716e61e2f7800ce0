"""Open live inboxes on one process: what each costs, and what they leave of a click's speed."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx

from app.cli.local.process import ChildProcess
from app.http.sessions import Cookies
from benchmarks.figures import percentile
from benchmarks.servers import Servers
from benchmarks.web.data import Business
from benchmarks.webhooks import WebhookMaker

_CLICKS = 60
_CHANGES = 20
_OPENED_AT_ONCE = 50
_KIB_PER_PAGE = 4
_QUIET_S = 0.5
_STOP_S = 10
_TOUCH = "update conversations set last_message_at = now() where tenant_id = $1 and id = $2"


@dataclass(frozen=True, slots=True)
class Streams:
    """What open streams cost and how they do.

    Attributes:
        kib_each: memory of one.
        click_p95_ms: a click beside them all.
        told_p95_ms: from a change's commit until the last of them is told.
        webhook_p95_ms: from a message's webhook until one of them is told, with a worker running.
        stop_s: from SIGTERM to the process's end, all of them open.
    """

    kib_each: float
    click_p95_ms: float
    told_p95_ms: float
    webhook_p95_ms: float
    stop_s: float


def hold_streams(machine: Servers, business: Business, count: int) -> Streams:
    """Open ``count`` streams on an API process of their own, and measure."""
    machine.environment.update(PARLEY_EDGE_PER_MIN="6000000", PARLEY_EDGE_BURST="6000000")
    api, worker = machine.start_api(), machine.start_worker()
    try:
        return asyncio.run(_hold(machine, business, count, api))
    finally:
        machine.stop(worker)
        machine.stop(api)


async def _hold(machine: Servers, business: Business, count: int, api: ChildProcess) -> Streams:
    pid = api.pid or 0
    url = machine.settings.app_url
    cookie = f"{Cookies(url).session}={business.owner.token}"
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
        webhook = await _webhooks(client, business, streams[0][0])
        stop_s = await _stop(api)
        for _, writer in streams:
            writer.close()
    return Streams(
        kib_each=max(after_kib - before_kib, 0) / max(count, 1),
        click_p95_ms=percentile(clicks, 0.95),
        told_p95_ms=percentile(told, 0.95),
        webhook_p95_ms=percentile(webhook, 0.95),
        stop_s=stop_s,
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


async def _webhooks(
    client: httpx.AsyncClient, business: Business, reader: asyncio.StreamReader
) -> list[float]:
    """Send messages of new customers, one after the other; how long until each is told, in ms."""
    maker = WebhookMaker([business.number], "feed")
    took = []
    for serial in range(_CHANGES + 1):
        signed = maker.one()
        headers = {"X-Webhook-Hmac": signed.signature, "Content-Type": "application/json"}
        await _quiet(reader)
        began_s = time.perf_counter()
        answer = await client.post(signed.path, content=signed.body, headers=headers)
        answer.raise_for_status()
        await asyncio.wait_for(reader.readuntil(b"event: change"), 30)
        if serial:  # the worker's first has to connect
            took.append((time.perf_counter() - began_s) * 1000)
    return took


async def _quiet(reader: asyncio.StreamReader) -> None:
    """Read until nothing has come for a while: what follows is of the next message."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(reader.readuntil(b"\n\n"), _QUIET_S)


async def _stop(api: ChildProcess) -> float:
    began_s = time.perf_counter()
    api.request_stop()
    status = await asyncio.to_thread(api.finish_stop, _STOP_S)
    if status != 0:
        raise RuntimeError(f"the API ended with {status}")
    return time.perf_counter() - began_s


def _resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _KIB_PER_PAGE
