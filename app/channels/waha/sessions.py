"""WAHA's sessions over HTTP: one paired number each, from its making to its end.

Sources: WAHA's OpenAPI 2026.7.1 and the behaviour noted there. ``start`` is always told: left
out, the documentation and the program disagree. Session operations stand under a lock (5 s to
get it, 30 s to hold it). Reading a session answers with the webhook's key in clear, so bodies
never reach a log or an error. Unknown statuses are passed on as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from app.channels.port import ChannelAccess
from app.channels.waha.addresses import normalise_address
from app.channels.waha.calls import WahaCalls
from app.channels.waha.fields import mapping, text
from app.channels.waha.session_config import CHANNEL_NOTE
from app.core.errors import ProviderError

_READ_TIMEOUT_S = 12.0
_CHANGE_TIMEOUT_S = 40.0
_WORD_CHARS_MAX = 64
_QR_CHARS_MAX = 1_000
_NOT_FOUND = 404
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What WAHA tells of a session. ``config`` holds secrets: never log this."""

    name: str
    status: str
    own_address: str | None
    own_name: str | None
    engine: str | None
    config: Mapping[str, Any] = field(repr=False)

    @property
    def channel_note(self) -> str | None:
        """The channel that the session's maker wrote into its metadata."""
        return text(mapping(self.config.get("metadata")).get(CHANNEL_NOTE), chars_max=64)


class SessionTakenError(ProviderError):
    """WAHA has a session of this name already."""


class WahaSessions:
    """Makes, pairs and ends sessions. Failures are ProviderError without WAHA's words."""

    def __init__(self, calls: WahaCalls) -> None:
        self._calls = calls

    async def version(self, access: ChannelAccess) -> tuple[str | None, str | None]:
        """Return WAHA's version and engine; the cheapest call that needs the key."""
        answer = mapping(await self._read(access, "/api/server/version"))
        return (
            text(answer.get("version"), chars_max=_WORD_CHARS_MAX),
            text(answer.get("engine"), chars_max=_WORD_CHARS_MAX),
        )

    async def get(self, access: ChannelAccess) -> SessionFacts | None:
        """Return the session, None when WAHA has none of this name."""
        try:
            return _facts(await self._read(access, _path(access)))
        except ProviderError as error:
            if error.status_code == _NOT_FOUND:
                return None
            raise

    async def create(self, access: ChannelAccess, config: Mapping[str, Any]) -> None:
        """Make and start the session.

        Raises:
            SessionTakenError: WAHA answers 422: the name is taken, or WAHA is too old for it.
        """
        body = {"name": access.session, "start": True, "config": config}
        try:
            await self._change(access, "POST", "/api/sessions", body)
        except ProviderError as error:
            if error.status_code != _UNPROCESSABLE:
                raise
            raise SessionTakenError("waha", "WAHA refused the session", status_code=422) from None

    async def configure(self, access: ChannelAccess, config: Mapping[str, Any]) -> None:
        """Replace the whole configuration; WAHA restarts a session that runs."""
        await self._change(access, "PUT", _path(access), {"config": config})

    async def start(self, access: ChannelAccess) -> None:
        """Start; one that runs already (422) is no error."""
        try:
            await self._change(access, "POST", f"{_path(access)}/start", {})
        except ProviderError as error:
            if error.status_code != _UNPROCESSABLE:
                raise

    async def restart(self, access: ChannelAccess) -> None:
        """Stop and start; the pairing stays."""
        await self._change(access, "POST", f"{_path(access)}/restart", {})

    async def stop(self, access: ChannelAccess) -> None:
        """Stop; the pairing stays."""
        await self._change(access, "POST", f"{_path(access)}/stop", {})

    async def logout(self, access: ChannelAccess) -> None:
        """Unpair the phone."""
        await self._change(access, "POST", f"{_path(access)}/logout", {})

    async def delete(self, access: ChannelAccess) -> None:
        """Stop, unpair and forget; a session that is not there is no error."""
        try:
            await self._change(access, "DELETE", _path(access), None)
        except ProviderError as error:
            if error.status_code != _NOT_FOUND:
                raise

    async def qr(self, access: ChannelAccess) -> str | None:
        """Return the text of the pairing QR code; None while there is none to show."""
        answer = await self._pairing(access, "GET", "/qr?format=raw", None)
        return text(answer.get("value"), chars_max=_QR_CHARS_MAX)

    async def pairing_code(self, access: ChannelAccess, phone: str) -> str | None:
        """Ask for a code to type on the phone (digits with country code); None when refused."""
        answer = await self._pairing(access, "POST", "/request-code", {"phoneNumber": phone})
        return text(answer.get("code"), chars_max=_WORD_CHARS_MAX)

    async def passkey_code(self, access: ChannelAccess) -> str | None:
        """Return the code to compare with the phone's; None while none is asked for."""
        answer = await self._pairing(access, "GET", "/passkey/confirmation", None)
        return text(answer.get("code"), chars_max=_WORD_CHARS_MAX)

    async def confirm_passkey(self, access: ChannelAccess) -> None:
        """Say that the phone showed the same code."""
        await self._change(access, "POST", f"{_auth(access)}/passkey/confirm", {})

    async def _pairing(
        self, access: ChannelAccess, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Call a pairing route; 422 (the session is in another state by now) reads as nothing."""
        try:
            answer = await self._calls.call(
                access, method, _auth(access) + path, body, timeout_s=_READ_TIMEOUT_S
            )
        except ProviderError as error:
            if error.status_code == _UNPROCESSABLE:
                return {}
            raise
        return mapping(answer)

    async def _read(self, access: ChannelAccess, path: str) -> Any:
        return await self._calls.call(access, "GET", path, None, timeout_s=_READ_TIMEOUT_S)

    async def _change(
        self, access: ChannelAccess, method: str, path: str, body: Mapping[str, Any] | None
    ) -> None:
        await self._calls.call(access, method, path, body, timeout_s=_CHANGE_TIMEOUT_S)


def _path(access: ChannelAccess) -> str:
    return f"/api/sessions/{quote(access.session, safe='')}"


def _auth(access: ChannelAccess) -> str:
    return f"/api/{quote(access.session, safe='')}/auth"


def _facts(answer: object) -> SessionFacts:
    found = mapping(answer)
    status = text(found.get("status"), chars_max=_WORD_CHARS_MAX)
    if status is None:
        # Something answers here, and it is not WAHA.
        raise ProviderError("waha", "the answer is no session", status_code=200, retryable=False)
    me, engine = mapping(found.get("me")), mapping(found.get("engine"))
    own = text(me.get("id"), chars_max=128)
    return SessionFacts(
        name=text(found.get("name"), chars_max=128) or "",
        status=status,
        own_address=normalise_address(own) if own else None,
        own_name=text(me.get("pushName"), chars_max=200),
        engine=text(engine.get("engine"), chars_max=_WORD_CHARS_MAX),
        config=mapping(found.get("config")),
    )
