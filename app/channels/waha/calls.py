"""One call of WAHA over HTTP: which pool it goes through, how long it may take, what failed.

500 bodies echo the message text and session bodies hold secrets, so an answer's body never
reaches a log or an error.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError

_ANSWER_BYTES_MAX = 1 << 20
_UNPROCESSABLE = 422
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
_TOO_MANY = 429


class WahaCalls:
    """Calls any WAHA; the channel's access says which.

    Args:
        trusted: session for the platform's own WAHA.
        guarded: session behind the SSRF guard, for addresses that tenants typed.
    """

    def __init__(self, *, trusted: aiohttp.ClientSession, guarded: aiohttp.ClientSession) -> None:
        self._trusted = trusted
        self._guarded = guarded

    async def call(
        self,
        access: ChannelAccess,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        timeout_s: float,
        bytes_max: int = _ANSWER_BYTES_MAX,
    ) -> Any:
        """Return the decoded answer, None where it is no JSON or larger than ``bytes_max``.

        Raises:
            ProviderError: tells whether it may have happened all the same, and the status.
            OutboundRefused: the guard does not let the request out.
        """
        http = self._guarded if access.guarded else self._trusted
        headers = {"X-Api-Key": access.api_key} if access.api_key else {}
        payload = None
        if body is not None:
            payload = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            async with (
                asyncio.timeout(timeout_s),
                http.request(
                    method,
                    access.api_url.rstrip("/") + path,
                    data=payload,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                ) as response,
            ):
                raw = await _whole(response, bytes_max)
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ProviderError(
                "waha", f"WAHA cannot be reached ({type(error).__name__})"
            ) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ProviderError(
                "waha", f"WAHA's answer was lost ({type(error).__name__})", ambiguous=True
            ) from None
        return _read_answer(status, raw, response.headers.get("Retry-After"))


async def _whole(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """Read an answer to its end; of one that is too large, as much as may be kept."""
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > bytes_max:
            response.close()
            break
    return bytes(raw[:bytes_max])


def _read_answer(status: int, raw: bytes, retry_after: str | None) -> Any:
    if 200 <= status < 300:  # noqa: PLR2004
        try:
            return msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return None
    # A server of a tenant's may say anything here.
    usual = retry_after is not None and retry_after.isdecimal() and len(retry_after) < 6  # noqa: PLR2004
    after_s = float(retry_after) if retry_after and usual else None
    raise ProviderError(
        "waha",
        f"WAHA answered {status}",
        status_code=status,
        # 501 means that the engine cannot do it; other server errors may have happened after
        # WhatsApp took the message.
        ambiguous=status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED,
        retryable=status in {408, _UNPROCESSABLE, _TOO_MANY, 401, 403}
        or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED),
        retry_after_s=after_s,
    )
