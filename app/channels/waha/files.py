"""The files of messages, from WAHA's own door or from where it keeps them.

WAHA names a file by an address that begins with its own base URL, which is often one that WAHA
alone can reach (``http://localhost:3000``): of its own addresses only the path counts, below the
channel's address, and only there the key goes. A file lives three minutes.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from app.channels.port import ChannelAccess
from app.channels.waha.calls import WahaCalls
from app.core.errors import ProviderError
from app.core.outbound import OutboundRefused, read_limited

_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 5.0
_OWN_PATH = "/api/files/"
_OK = 200
_NEVER = {400, 404, 410}
_NOT_IMPLEMENTED = 501


class WahaFiles:
    """Fetches files of any WAHA.

    Args:
        calls: for asking WAHA about a message.
        trusted: session for the platform's own WAHA.
        guarded: session behind the SSRF guard: for addresses that tenants or webhooks named.
    """

    def __init__(
        self,
        calls: WahaCalls,
        *,
        trusted: aiohttp.ClientSession,
        guarded: aiohttp.ClientSession,
    ) -> None:
        self._calls = calls
        self._trusted = trusted
        self._guarded = guarded

    async def fetch_media(self, access: ChannelAccess, url: str, *, bytes_max: int) -> bytes:
        """GET a file: WAHA's own below the channel's address, others (S3) behind the guard.

        Raises:
            OutboundRefused: larger than ``bytes_max``, or an address that must not be asked.
            ProviderError: no file came; retryable unless it is gone.
        """
        path = _own_path(url)
        http = self._trusted if path and not access.guarded else self._guarded
        headers = {"X-Api-Key": access.api_key} if path and access.api_key else {}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with http.get(
                access.api_url.rstrip("/") + path if path else url,
                headers=headers,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                if response.status == _OK:
                    return await read_limited(response, bytes_max)
                status = response.status
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise OutboundRefused("scheme") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ProviderError(
                "waha", f"a file could not be fetched ({type(error).__name__})"
            ) from None
        raise ProviderError(
            "waha",
            f"answered {status} for a file",
            status_code=status,
            retryable=status not in _NEVER,
        )

    async def media_url(self, access: ChannelAccess, message_id: str, chat: str) -> str | None:
        """GET /api/{session}/chats/{chat}/messages/{id}?downloadMedia=true."""
        path = (
            f"/api/{quote(access.session)}/chats/{quote(chat, safe='')}"
            f"/messages/{quote(message_id, safe='')}?downloadMedia=true"
        )
        try:
            answer = await self._calls.call(access, "GET", path, None, timeout_s=_TIMEOUT_S)
        except ProviderError as error:
            if error.status_code in {*_NEVER, _NOT_IMPLEMENTED}:
                return None
            raise
        media = answer.get("media") if isinstance(answer, Mapping) else None
        url = media.get("url") if isinstance(media, Mapping) else None
        return url if isinstance(url, str) and url else None


def _own_path(url: str) -> str | None:
    """Return the path of a file that WAHA itself hands out; None for files kept elsewhere."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    # Dots lead out of the folder in every spelling, and clients put them into plain ones.
    steps = re.split(r"[/\\]", unquote(path))
    return path if path.startswith(_OWN_PATH) and not {".", ".."}.intersection(steps) else None
