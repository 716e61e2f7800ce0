"""`parley bench web`: every page of a large business, how long it takes and what it asks.

Each page is asked for in this process, client and server on one loop, so that its statements can
be counted; live streams are held open against a process of their own.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from litestar.routes import HTTPRoute

from app.core.config import Settings
from app.factory import create_app
from app.http.sessions import Cookies
from app.messaging.desk.listing import View
from benchmarks.counting import statements_sent
from benchmarks.figures import Column, Report, percentile
from benchmarks.servers import Servers, servers
from benchmarks.web.data import Business, Person, open_large
from benchmarks.web.streams import Streams, hold_streams
from billing import entries

PAGE_MS = 100
QUERIES = 10
_EDGE_PER_MIN = 6_000_000
_OK = 200
# Not pages: files, streams, answers to scripts, and what leads somewhere else.
_NO_PAGE = re.compile(
    r"\.(csv|svg|pdf|json|txt)$|/stream$|^/static|^/media|^/logout|/options/|/files/|/unread$"
    r"|{file_kind}"
)
_PARTS = re.compile(r"^/inbox/list$|/thread$|/panel$|/live$")
_PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
# What a secret in a mail leads to: a look-up by its hash.
_OF_STRANGERS = re.compile(r"{token}")
_SOON = {"month": "2026-11", "number": "1"}
_STRANGERS = frozenset({"/", "/terms", "/privacy", "/login", "/sign-up", "/forgot-password"})
_MORE = (
    *(f"/inbox?view={view}" for view in View),
    *("/inbox?q=word77", "/inbox?q=order", "/inbox?q=o", "/inbox?q=Marta", "/inbox?q=qqqq"),
    *("/inbox?q=Marta+Lima+1", "/inbox?q=34600012345", "/inbox?q=600012345"),
    *("/home?days=7", "/home?days=30", "/contacts?q=Marta", "/contacts?q=qqqq"),
    *("/contacts?q=346000", "/contacts?tag=regular", "/contacts?only=blocked"),
    *(f"/billing/ledger?kind={kind}" for kind in entries.KINDS if kind),
)
_MORE_OF_AGENTS = ("/home", "/inbox", "/inbox?view=all", "/inbox?q=order", "/inbox?q=o")


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
        "webhook_p95_ms": streams.webhook_p95_ms,
        "stop_s": streams.stop_s,
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
        f"from a webhook to the event on a stream: p95 {streams.webhook_p95_ms:.0f} ms",
        f"SIGTERM with all of them open: exit 0 after {streams.stop_s:.2f} s",
    ]


async def _measure(settings: Settings, business: Business, requests: int) -> dict[str, Page]:
    limits = replace(settings.limits, edge_per_min=_EDGE_PER_MIN, edge_burst=_EDGE_PER_MIN)
    app: Any = create_app(replace(settings, limits=limits))
    transport = httpx.ASGITransport(app=app)
    headers = {"Accept": "text/html", "User-Agent": "Benchmark"}
    client = httpx.AsyncClient(
        transport=transport, base_url=settings.app_url, headers=headers, timeout=60
    )
    cookie = Cookies(settings.app_url).session
    pages = {}
    async with app.lifespan(), client:
        for path, person in visits(page_paths(app.pages.build()), business):
            signed_in = {"Cookie": f"{cookie}={person.token}"} if person else {}
            asks = _PARTIAL if _PARTS.search(path) else {}
            page = await _page(client, path, signed_in | asks, requests)
            if page is not None:
                name = f"{path} (agent)" if person is business.agent else path
                pages[name] = page
    return pages


def visits(paths: Sequence[str], business: Business) -> list[tuple[str, Person | None]]:
    """Every page, with ids that the business has, and who asks for it."""
    known = {**_SOON, **{name: str(value) for name, value in business.ids.items()}}
    found = [
        re.sub(r"{(\w+)}", lambda m: known[m[1]], path)
        for path in paths
        if not _OF_STRANGERS.search(path)
    ]
    today = datetime.now(UTC).date()
    days = f"since={today - timedelta(days=18)}&until={today - timedelta(days=17)}"
    more = [*_MORE, f"/billing/ledger?{days}", f"/billing/ledger?kind=charges&{days}"]
    visits = [(path, _visitor(path, business)) for path in [*sorted(found), *more]]
    return [*visits, *((path, business.agent) for path in _MORE_OF_AGENTS)]


def page_paths(site: Any) -> list[str]:
    """The paths of all pages that are read with GET; parameters as ``{name}``."""
    paths = {
        re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        for route in site.routes
        if isinstance(route, HTTPRoute) and "GET" in route.methods
    }
    return sorted(path for path in paths if is_page(path))


def is_page(path: str) -> bool:
    """Tell pages from files, streams, answers to scripts and mere ways on."""
    return not _NO_PAGE.search(path)


def _visitor(path: str, business: Business) -> Person | None:
    if path in _STRANGERS:
        return None
    return business.admin if path.startswith("/admin") else business.owner


async def _page(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], requests: int
) -> Page | None:
    """Ask for a page many times; None for what is no page to this person."""
    answer = await client.get(path, headers=headers)
    if answer.status_code != _OK or "text/html" not in answer.headers.get("content-type", ""):
        return None
    with statements_sent() as statements:
        await client.get(path, headers=headers)
    times = []
    for _ in range(requests):
        began_s = time.perf_counter()
        await client.get(path, headers=headers)
        times.append((time.perf_counter() - began_s) * 1000)
    return Page(percentile(times, 0.95), len(statements))
