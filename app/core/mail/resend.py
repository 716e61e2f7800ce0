"""Resend, through its own SDK: one e-mail a call, once per idempotency key.

The SDK keeps key and address in module globals and opens a connection for each mail, so its
transport is replaced by our session, and both globals are set right before each call (which
reads them before its first await).
"""

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import aiohttp

from app.core.config import Settings
from app.core.errors import ProviderError
from app.core.mail.letter import Rendered

TIMEOUT_S = 20.0
# The mail itself is at fault. A wrong key or an unverified domain (401, 403) is the operator's,
# who can mend it while the mail waits.
_DEFINITE = {400, 404, 405, 413, 422}


class ResendClient:
    """Sends e-mails. Use from one event loop; the session belongs to the caller."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._api_key = settings.resend_api_key
        self._api_url = settings.resend_api_url.rstrip("/")
        self._from = settings.email_from
        self._session = session
        self._transport: Any = None

    @property
    def configured(self) -> bool:
        """True when mails can be sent at all; until then they wait."""
        return bool(self._api_key and self._from)

    async def send(self, mail_id: UUID, to: str, mail: Rendered) -> str:
        """Send one mail; return Resend's id of it.

        Raises:
            ProviderError: not taken, or nobody knows; ``retryable`` says whether the same
                call may succeed later. Its text holds no part of the mail.
        """
        # Off the loop: the first import takes a third of a second.
        resend: Any = await asyncio.to_thread(importlib.import_module, "resend")
        resend.default_async_http_client = self._connect()
        resend.api_key, resend.api_url = self._api_key, self._api_url
        try:
            answer = await resend.Emails.send_async(
                {
                    "from": self._from,
                    "to": [to],
                    "subject": mail.subject,
                    "html": mail.html,
                    "text": mail.text,
                },
                {"idempotency_key": str(mail_id)},
            )
        except resend.exceptions.ResendError as error:
            raise _refusal(error) from None
        return str(answer["id"])

    def _connect(self) -> Any:
        if self._transport is None:
            self._transport = _transport(self._session)
        return self._transport


def _transport(session: aiohttp.ClientSession) -> Any:
    """The SDK's HTTP client over our session."""
    from resend import AsyncHTTPClient

    class _Transport(AsyncHTTPClient):
        async def request(  # noqa: PLR0917 - the SDK's signature
            self,
            method: str,
            url: str,
            headers: Mapping[str, str],
            json: Any = None,
            files: Any = None,  # noqa: ARG002
            data: Any = None,  # noqa: ARG002
        ) -> tuple[bytes, int, Mapping[str, str]]:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with session.request(
                method, url, headers=headers, json=json, timeout=timeout
            ) as response:
                return await response.read(), response.status, dict(response.headers)

    return _Transport()


def _refusal(error: Any) -> ProviderError:
    """What the SDK raised, without its text: Resend quotes addresses in it."""
    lost = error.error_type == "HttpClientError"
    status = None if lost or not str(error.code).isdigit() else int(error.code)
    after = {str(k).lower(): v for k, v in (error.headers or {}).items()}.get("retry-after", "")
    return ProviderError(
        "mail",
        "did not answer" if status is None else f"answered {status}",
        status_code=status,
        ambiguous=status is None,
        retryable=status not in _DEFINITE,
        retry_after_s=float(after) if str(after).isdigit() else None,
    )
