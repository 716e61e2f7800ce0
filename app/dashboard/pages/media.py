"""Customers' files for the pages: behind a signed address, for people of the business alone.

They are other people's files: nothing of them runs here. Only pictures and what players play is
shown in place, everything else is a download, and a browser that is led to one directly gets it
in a sandbox.
"""

from typing import Any
from urllib.parse import quote

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from app.dashboard.desk import AnyRequest, Desk
from app.http.ranges import read_range
from app.messaging.media import links
from tenants.access import Permission

_SHOWN = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "audio/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/wav",
        "audio/aac",
        "audio/flac",
        "audio/webm",
        "video/mp4",
        "video/webm",
    }
)
_POLICY = "sandbox; default-src 'none'; media-src 'self'; img-src 'self'; frame-ancestors 'none'"
_CACHING = "private, max-age=900"
_WHOLE, _PARTIAL = 200, 206


def routes(desk: Desk) -> list[Any]:
    """Return the handler."""

    @get("/media/{token:str}")
    async def file(request: AnyRequest, token: FromPath[str]) -> Stream:
        """Show a file; parts of it for players that jump."""
        tenant_id = desk.someone(request).business(Permission.READ_INBOX)
        media_id = links.open_token(desk.settings.secret_keys, token, tenant_id)
        services = await desk.services()
        async with services.database.tenant(tenant_id) as connection:
            found = await links.find(connection, tenant_id, media_id)
        part = read_range(request.headers.get("range", ""), found.size_bytes)
        start, length = part or (0, found.size_bytes)
        headers = _headers(found) | {"Content-Length": str(length)}
        if part:
            end = start + length - 1
            headers["Content-Range"] = f"bytes {start}-{end}/{found.size_bytes}"
        return Stream(
            services.media_store.stream(tenant_id, media_id, start=start, length=length),
            status_code=_PARTIAL if part else _WHOLE,
            media_type=found.content_type if _is_shown(found) else "application/octet-stream",
            headers=headers,
        )

    return [file]


def _is_shown(found: links.StoredFile) -> bool:
    return found.content_type in _SHOWN


def _headers(found: links.StoredFile) -> dict[str, str]:
    way = "inline" if _is_shown(found) else "attachment"
    plain = found.name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return {
        "Content-Disposition": (
            f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(found.name, safe='')}"
        ),
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Cache-Control": _CACHING,
    }
