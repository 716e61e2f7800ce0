"""Fetching pages of a site as a good guest: its robots.txt, its pace, its validators.

Every address is judged by the outbound guard, each redirect anew, and none leaves the host.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from app.assistant.knowledge.frontier import same_site
from app.assistant.knowledge.reading import BYTES_MAX, MEDIA_TYPES
from app.core.outbound import OutboundRefused, read_limited

log = logging.getLogger(__name__)

AGENT = "ParleyBot"
_ROBOTS_BYTES_MAX = 512 * 1024
_SITEMAP_BYTES_MAX = 5 * 1024 * 1024
_SITEMAPS_MAX = 5
_SITEMAP_PAGES_MAX = 1_000
_ROBOTS_S = 3600.0
_HOSTS_MAX = 500
_REDIRECTS_MAX = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304
_OK = 200
_GONE = frozenset({404, 410})
_CLIENT_ERRORS = range(400, 500)


class FetchError(Exception):
    """A page cannot be had.

    Attributes:
        reason: a word that the pages have a sentence for.
        retryable: True when a later try may succeed.
    """

    def __init__(self, reason: str, *, retryable: bool = False) -> None:
        self.reason = reason
        self.retryable = retryable
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The page is as it was."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page; ``more`` are addresses that the site's map names (only for its first page)."""

    name: str
    body: bytes
    media_type: str
    etag: str | None
    last_modified: str | None
    more: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rules:
    """A host's robots.txt; ``parsed`` None allows all, ``closed`` nothing for now."""

    parsed: Any
    closed: bool
    known_at_s: float


class Crawler:
    """Fetches pages through a guarded session. One instance an event loop."""

    def __init__(self, session: aiohttp.ClientSession, app_url: str) -> None:
        self._session = session
        self._headers = {
            "User-Agent": f"{AGENT}/1.0 (+{app_url.rstrip('/')})",
            "Accept": "text/html,application/xhtml+xml,application/pdf,text/plain;q=0.8,*/*;q=0.1",
        }
        self._rules: dict[str, _Rules] = {}

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched | Unchanged:
        """Fetch a page; ``Unchanged`` when its validators still hold.

        Raises:
            FetchError: ``robots``, ``refused_address``, ``redirected_away``, ``gone``,
                ``forbidden``, ``away``, ``not_a_page``, ``too_large``.
        """
        headers = dict(self._headers)
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        at = url
        for _ in range(_REDIRECTS_MAX + 1):
            await self._ask_robots(at)
            step = await self._step(at, headers)
            if isinstance(step, str):
                if not same_site(step, url):
                    raise FetchError("redirected_away")
                at = step
                continue
            if isinstance(step, Fetched) and urlsplit(url).path in {"", "/"}:
                step.more.extend(await self._site_map(url))
            return step
        raise FetchError("redirected_away")

    async def _step(self, url: str, headers: dict[str, str]) -> Fetched | Unchanged | str:
        """Ask once: the page, or where it has moved to."""
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    return urljoin(url, answer.headers.get("Location", ""))
                if answer.status == _NOT_MODIFIED:
                    return Unchanged()
                _refuse_status(answer.status)
                media_type = answer.content_type
                if media_type not in MEDIA_TYPES:
                    raise FetchError("not_a_page")
                body = await read_limited(answer, BYTES_MAX)
                return Fetched(
                    name=urlsplit(url).path.rstrip("/") or urlsplit(url).hostname or url,
                    body=body,
                    media_type=media_type,
                    etag=answer.headers.get("ETag"),
                    last_modified=answer.headers.get("Last-Modified"),
                )
        except OutboundRefused as error:
            reason = "too_large" if error.reason == "too_large" else "refused_address"
            raise FetchError(reason) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if isinstance(error.__cause__ or error.__context__, OutboundRefused):
                raise FetchError("refused_address") from None
            raise FetchError("away", retryable=True) from None

    async def _ask_robots(self, url: str) -> None:
        rules = await self._rules_of(url)
        if rules.closed:
            raise FetchError("away", retryable=True)
        if rules.parsed is not None and not rules.parsed.can_fetch(url, AGENT):
            raise FetchError("robots")

    async def _rules_of(self, url: str) -> _Rules:
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        known = self._rules.get(host)
        if known is None or time.monotonic() - known.known_at_s > _ROBOTS_S:
            known = await self._read_rules(f"{host}/robots.txt")
            if len(self._rules) >= _HOSTS_MAX:
                self._rules.clear()
            if not known.closed:
                self._rules[host] = known
        return known

    async def _read_rules(self, url: str) -> _Rules:
        """Read robots.txt as RFC 9309 wants: none allows all, a server in trouble nothing yet."""
        from protego import Protego

        at = url
        for _ in range(_REDIRECTS_MAX + 1):
            try:
                async with self._session.get(
                    at, headers=self._headers, allow_redirects=False
                ) as answer:
                    if answer.status in _REDIRECTS:
                        at = urljoin(at, answer.headers.get("Location", ""))
                        if not same_site(at, url):
                            break
                        continue
                    if answer.status in _CLIENT_ERRORS:
                        break
                    if answer.status != _OK:
                        return _Rules(None, True, time.monotonic())
                    body = await read_limited(answer, _ROBOTS_BYTES_MAX)
                    parsed = Protego.parse(body.decode("utf-8", errors="replace"))
                    return _Rules(parsed, False, time.monotonic())
            except OutboundRefused as error:
                if error.reason != "too_large":
                    raise FetchError("refused_address") from None
                break
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if isinstance(error.__cause__ or error.__context__, OutboundRefused):
                    raise FetchError("refused_address") from None
                return _Rules(None, True, time.monotonic())
        return _Rules(None, False, time.monotonic())

    async def _site_map(self, url: str) -> list[str]:
        """Addresses of the site's own map; none when there is no map that can be read."""
        rules = await self._rules_of(url)
        named = list(rules.parsed.sitemaps) if rules.parsed is not None else []
        waiting = [m for m in named if same_site(m, url)] or [urljoin(url, "/sitemap.xml")]
        pages: list[str] = []
        for place, at in enumerate(waiting):
            if place >= _SITEMAPS_MAX or len(pages) >= _SITEMAP_PAGES_MAX:
                break
            for found in await self._locations(at):
                if not same_site(found, url):
                    continue
                (waiting if found.endswith(".xml") else pages).append(found)
        return pages[:_SITEMAP_PAGES_MAX]

    async def _locations(self, url: str) -> list[str]:
        from selectolax.lexbor import LexborHTMLParser

        try:
            async with self._session.get(
                url, headers=self._headers, allow_redirects=False
            ) as answer:
                if answer.status != _OK:
                    return []
                body = await read_limited(answer, _SITEMAP_BYTES_MAX)
        except (OutboundRefused, aiohttp.ClientError, TimeoutError, ValueError):
            return []
        return [node.text().strip() for node in LexborHTMLParser(body).css("loc")]


def _refuse_status(status: int) -> None:
    if status in _GONE:
        raise FetchError("gone")
    if status in {401, 403}:
        raise FetchError("forbidden")
    if status != _OK:
        raise FetchError("away", retryable=status >= 500 or status == 429)  # noqa: PLR2004
