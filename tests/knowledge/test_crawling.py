"""Fetching pages over real HTTP: robots, redirects, validators, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest
from aiohttp import web

from app.assistant.knowledge.crawling import Crawler, Fetched, FetchError, Unchanged
from app.assistant.knowledge.frontier import page_url, same_site
from app.core.config import Settings
from app.core.outbound import outbound_session

pytestmark = pytest.mark.anyio

ROBOTS = "User-agent: ParleyBot\nDisallow: /private\nSitemap: {base}/map.xml\n"
OPEN = replace(Settings(), outbound_allow_cidrs=(ip_network("127.0.0.0/8"),))


def files(base: str) -> dict[str, web.Response]:
    locations = f"<loc>{base}/from-map</loc><loc>https://other.example/</loc>"
    return {
        "/robots.txt": web.Response(text=ROBOTS.format(base=base)),
        "/map.xml": web.Response(text=f"<urlset>{locations}</urlset>"),
        "/picture": web.Response(body=b"x", content_type="image/png"),
    }


async def answer(request: web.Request) -> web.StreamResponse:
    path = request.path
    found = files(f"http://{request.host}").get(path)
    if found is not None:
        return found
    if path.startswith("/to/"):
        return web.Response(status=302, headers={"Location": path.removeprefix("/to/")})
    if path == "/large":
        return web.Response(body=b"x" * (21 * 1024 * 1024), content_type="text/html")
    if path.startswith("/status/"):
        return web.Response(status=int(path.rsplit("/", 1)[1]))
    if request.headers.get("If-None-Match") == '"1"':
        return web.Response(status=304)
    agent = request.headers["User-Agent"]
    return web.Response(text=f"<p>{agent}", content_type="text/html", headers={"ETag": '"1"'})


@asynccontextmanager
async def site(settings: Settings) -> AsyncIterator[tuple[str, Crawler]]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    session = outbound_session(settings, guarded=True)
    try:
        yield f"http://127.0.0.1:{port}", Crawler(session, "https://parley.example")
    finally:
        await session.close()
        await runner.cleanup()


async def test_a_page_is_fetched_as_a_good_guest():
    async with site(OPEN) as (base, crawler):
        found = await crawler.fetch(f"{base}/")
        assert isinstance(found, Fetched)
        assert found.body == b"<p>ParleyBot/1.0 (+https://parley.example)"
        assert found.more == [f"{base}/from-map"]
        assert isinstance(await crawler.fetch(f"{base}/page", etag=found.etag), Unchanged)
        moved = await crawler.fetch(f"{base}/to//page")
        assert isinstance(moved, Fetched)


@pytest.mark.parametrize(
    ("path", "reason", "retryable"),
    [
        ("/private/page", "robots", False),
        ("/to//private/page", "robots", False),
        ("/to/http://169.254.169.254/latest", "redirected_away", False),
        ("/to//to//to//to//to//to//to//page", "redirected_away", False),
        ("/status/404", "gone", False),
        ("/status/403", "forbidden", False),
        ("/status/500", "away", True),
        ("/picture", "not_a_page", False),
        ("/large", "too_large", False),
    ],
)
async def test_what_cannot_be_had_says_why(path: str, reason: str, retryable: bool):
    async with site(OPEN) as (base, crawler):
        with pytest.raises(FetchError) as refused:
            await crawler.fetch(base + path)
    assert (refused.value.reason, refused.value.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://[::1]/", "http://10.0.0.1/", "http://2130706433/"]
)
async def test_inner_addresses_are_refused(url: str):
    async with site(Settings()) as (_, crawler):
        with pytest.raises(FetchError, match="refused_address"):
            await crawler.fetch(url)


async def test_a_name_that_resolves_inside_is_refused():
    async with site(Settings()) as (_, crawler):
        with pytest.raises(FetchError, match="refused_address"):
            await crawler.fetch("http://localhost/")


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/a#x", "https://s.example/a"),
        ("b?utm_medium=1&id=2", "https://s.example/dir/b?id=2"),
        ("HTTPS://S.example:443/c", "https://s.example/c"),
        ("mailto:x@s.example", None),
        ("javascript:alert(1)", None),
        ("/photo.JPG", None),
        ("http://[bad", None),
    ],
)
def test_links_in_one_spelling(link: str, url: str | None):
    assert page_url("https://s.example/dir/", link) == url


def test_one_site_is_one_host():
    assert same_site("https://www.s.example/x", "http://s.example/")
    assert not same_site("https://s.example:8443/", "https://s.example/")
    assert not same_site("https://s.example.evil/", "https://s.example/")
