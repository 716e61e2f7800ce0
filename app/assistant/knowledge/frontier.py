"""A site's frontier: which links of a page are pages to be read, and how far the site goes."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.queue import Claimed
from app.core import ids
from app.core.db.rows import as_rows

URL_CHARS_MAX = 1_000
_NOT_PAGES = (
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".ico", ".css", ".js", ".mp3", ".mp4", ".zip",
    ".gz", ".exe", ".dmg", ".xml", ".rss", ".json", ".woff2", ".avi", ".mov", ".xlsx", ".pptx",
)  # fmt: skip
_TRACKING = ("utm_", "fbclid", "gclid", "mc_", "ref")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_SOURCE = text(
    """
    select url, depth_max, pages_max,
           (select count(*) from knowledge_documents d
            where d.tenant_id = s.tenant_id and d.source_id = s.id) as pages
    from knowledge_sources s where tenant_id = :tenant_id and id = :id and kind = 'site' for update
    """
)
_ADD = text(
    """
    insert into knowledge_documents (tenant_id, id, source_id, kind, title, url, depth, round)
    select :tenant_id, r.id, :source_id, 'page', r.url, r.url, :depth, :round
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, url text)
    where not exists (
        select 1 from knowledge_documents d
        where d.tenant_id = :tenant_id and d.source_id = :source_id and d.url = r.url)
    limit :room
    """
)


async def add_pages(connection: AsyncConnection, page: Claimed, links: Iterable[str]) -> int:
    """Add the links of a site's page as pages to be read, within its depth and number.

    Returns how many are new. The site's row is locked, so that two pages read at once do not
    make it larger than it may be.
    """
    own = {"tenant_id": page.tenant_id, "id": page.source_id}
    source = (await connection.execute(_SOURCE, own)).one_or_none()
    if source is None or page.depth >= source.depth_max or source.pages >= source.pages_max:
        return 0
    base = page.url or source.url
    wanted = {u for link in links if (u := page_url(base, link)) and same_site(u, source.url)}
    rows = [{"id": ids.uuid7(), "url": url} for url in sorted(wanted, key=_order)]
    values = {
        "tenant_id": page.tenant_id,
        "source_id": page.source_id,
        "depth": page.depth + 1,
        "round": page.round,
        "rows": as_rows(rows),
        "room": source.pages_max - source.pages,
    }
    return (await connection.execute(_ADD, values)).rowcount


def page_url(base: str, link: str) -> str | None:
    """Return a link's address in one spelling; None for what is no page.

    Fragments and tracking parameters go, the host is lower case, usual ports are left out.
    """
    try:
        parts = urlsplit(urljoin(base, link))
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    if parts.path.lower().endswith(_NOT_PAGES):
        return None
    host = parts.hostname.lower()
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(k, v) for k, v in pairs if not k.lower().startswith(_TRACKING)])
    url = urlunsplit((parts.scheme, host, parts.path or "/", query, ""))
    return url if len(url) <= URL_CHARS_MAX and url.isprintable() else None


def same_site(url: str, root: str) -> bool:
    """Tell whether two addresses are of one host and port; a leading ``www.`` does not count."""
    try:
        return _site(url) == _site(root)
    except ValueError:  # what a page links to need not be an address
        return False


def _site(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    port = parts.port
    if port in _DEFAULT_PORTS.values():
        port = None
    return (parts.hostname or "").removeprefix("www."), port


def _order(url: str) -> tuple[int, str]:
    """Short paths first: they are what a menu leads to."""
    return url.count("/"), url
