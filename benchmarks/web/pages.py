"""`parley bench web`: every page of a large business, how long it takes and what it asks.

Each page is asked for in this process, client and server on one loop, so that its statements can
be counted; live streams are held open against a process of their own.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from litestar.routes import HTTPRoute
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.core.config import Settings
from app.factory import create_app
from app.http.sessions import Cookies
from benchmarks.figures import Column, Report, percentile
from benchmarks.servers import Servers, servers
from benchmarks.web.data import Business, open_large
from benchmarks.web.streams import Streams, hold_streams

PAGE_MS = 100
QUERIES = 10
_EDGE_PER_MIN = 6_000_000
_OK = 200
# Not pages: files, streams, and what leads somewhere else.
_NO_PAGE = re.compile(r"\.(csv|svg|pdf|json)$|/stream$|^/static|^/media|^/logout|/options/|/files/")
_MORE = ("/inbox?view=all", "/inbox?view=resolved", "/inbox?q=word77", "/inbox?q=Marta+Lima+1")


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the business is, requests of each page a run, and open live streams."""

    conversations: int = 100_000
    messages_each: int = 10
    requests: int = 20
    streams: int = 500


@dataclass(slots=True)
class Page:
    """One page's figures."""

    p95_ms: float
    queries: int


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine:
        return measure(machine, runs, Scale())


def measure(machine: Servers, runs: int, scale: Scale) -> Report:
    """Measure ``runs`` times; a page's p95 is the median of its runs."""
    business = asyncio.run(
        open_large(machine, conversations=scale.conversations, messages_each=scale.messages_each)
    )
    found = [asyncio.run(_measure(machine.settings, business, scale.requests)) for _ in range(runs)]
    streams = hold_streams(machine, business, scale.streams)
    paths = found[0]
    medians = {path: percentile([each[path].p95_ms for each in found], 0.5) for path in paths}
    queries = {path: max(each[path].queries for each in found) for path in paths}
    columns = [
        Column(f"{path}  ({queries[path]} queries), p95 ms", [f[path].p95_ms for f in found])
        for path in sorted(paths, key=lambda each: -medians[each])
    ]
    figures = {
        "p95_ms": max(medians.values()),
        "queries_max": max(queries.values()),
        "pages": len(paths),
        "streams": scale.streams,
        "stream_kib": streams.kib_each,
        "click_p95_ms": streams.click_p95_ms,
        "told_p95_ms": streams.told_p95_ms,
    }
    return Report("web", figures, columns, _notes(scale, streams))


def _notes(scale: Scale, streams: Streams) -> list[str]:
    messages = scale.conversations * scale.messages_each
    beside = f"a click {streams.click_p95_ms:.0f} ms, a change {streams.told_p95_ms:.0f} ms"
    return [
        f"{scale.conversations:,} conversations and {messages:,} messages in the business",
        f"budget for each page: {QUERIES} queries, p95 {PAGE_MS} ms",
        f"{scale.streams} open live inboxes on one process: {streams.kib_each:.0f} KiB each",
        f"p95 beside them: {beside} until the last of them is told",
    ]


async def _measure(settings: Settings, business: Business, requests: int) -> dict[str, Page]:
    limits = replace(settings.limits, edge_per_min=_EDGE_PER_MIN, edge_burst=_EDGE_PER_MIN)
    app: Any = create_app(replace(settings, limits=limits))
    cookie = f"{Cookies(settings.app_url).session}={business.token}"
    headers = {"Cookie": cookie, "Accept": "text/html", "User-Agent": "Benchmark"}
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(
        transport=transport, base_url=settings.app_url, headers=headers, timeout=60
    )
    pages = {}
    async with app.lifespan(), client:
        for path in _paths(app.pages.build(), business):
            page = await _page(client, path, requests)
            if page is not None:
                pages[path] = page
    return pages


def _paths(site: Any, business: Business) -> list[str]:
    """Pages that need nothing but ids which the business has."""
    found = []
    for route in site.routes:
        if not isinstance(route, HTTPRoute) or "GET" not in route.methods:
            continue
        path = re.sub(r"{(\w+):\w+}", lambda m: str(business.ids.get(m[1], "?")), route.path)
        if "?" not in path and not _NO_PAGE.search(path) and not path.startswith("/admin"):
            found.append(path)
    return sorted(found) + list(_MORE)


async def _page(client: httpx.AsyncClient, path: str, requests: int) -> Page | None:
    """Ask for a page many times; None for what is no page to this person."""
    with _counted() as statements:
        answer = await client.get(path)
    if answer.status_code != _OK or "text/html" not in answer.headers.get("content-type", ""):
        return None
    with _counted() as statements:
        await client.get(path)
    times = []
    for _ in range(requests):
        began_s = time.perf_counter()
        await client.get(path)
        times.append((time.perf_counter() - began_s) * 1000)
    return Page(percentile(times, 0.95), len(statements))


@contextmanager
def _counted() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
