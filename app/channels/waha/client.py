"""WAHA over HTTP: seen, typing, text, files, and the look-ups that settle a doubtful send.

Sources: WAHA's OpenAPI 2026.7.1 and the behaviour noted there: 201 with a body that depends
on the engine; 422 after 5–10 s when the session is not working; 500 bodies echo the message
text, so an answer's body never reaches a log or an error.
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from app.channels.port import Attachment, ChannelAccess
from app.channels.waha.addresses import normalise_address, parse_message_id
from app.channels.waha.calls import WahaCalls
from app.core.errors import ProviderError
from app.core.faults import fault_point

_CLIENT_ID_ENGINES = {"NOWEB", "GOWS"}
_CLIENT_ID_SINCE = (2026, 4, 3)
_GESTURE_TIMEOUT_S = 15.0
_LOOKUP_TIMEOUT_S = 20.0
# A hundred messages with their engine's raw data and thumbnails.
_LISTING_BYTES_MAX = 32 << 20
_SEND_ROUTES = {"image": "/api/sendImage", "audio": "/api/sendVoice", "video": "/api/sendVideo"}


class WahaClient:
    """Sends through any WAHA; the channel's access says which.

    Args:
        trusted: session for the platform's own WAHA.
        guarded: session behind the SSRF guard, for addresses that tenants typed.
        send_timeout_s: how long a send may take; WAHA itself waits up to 75 s for WhatsApp.
    """

    def __init__(
        self,
        *,
        trusted: aiohttp.ClientSession,
        guarded: aiohttp.ClientSession,
        send_timeout_s: float,
    ) -> None:
        self.calls = WahaCalls(trusted=trusted, guarded=guarded)
        self._send_timeout_s = send_timeout_s

    def honours_client_id(self, access: ChannelAccess) -> bool:
        """Tell whether sendText takes ``id``: NOWEB and GOWS since WAHA 2026.4.3."""
        return access.engine in _CLIENT_ID_ENGINES and _version(access.engine_version) >= (
            _CLIENT_ID_SINCE
        )

    async def mark_seen(self, access: ChannelAccess, chat: str) -> None:
        """POST /api/sendSeen."""
        fault_point("send.before_seen")
        await self._gesture(access, "/api/sendSeen", chat)

    async def set_typing(self, access: ChannelAccess, chat: str, *, on: bool) -> None:
        """POST /api/startTyping or /api/stopTyping."""
        fault_point("send.before_typing")
        await self._gesture(access, "/api/startTyping" if on else "/api/stopTyping", chat)

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        """POST /api/sendText; return the bare id of the message, None when none was told."""
        body: dict[str, Any] = {"session": access.session, "chatId": chat, "text": text}
        if client_id:
            body["id"] = client_id
        return await self._send(access, "/api/sendText", body)

    async def send_media(
        self, access: ChannelAccess, chat: str, attachment: Attachment, caption: str | None
    ) -> str | None:
        """POST /api/sendImage, sendVoice, sendVideo or sendFile, the file in the body."""
        body: dict[str, Any] = {
            "session": access.session,
            "chatId": chat,
            "file": {
                "mimetype": attachment.content_type,
                "filename": attachment.name,
                "data": (await asyncio.to_thread(base64.b64encode, attachment.data)).decode(),
            },
        }
        if attachment.kind in {"audio", "video"}:
            # WhatsApp plays only Opus and H.264; WAHA converts what is neither.
            body["convert"] = True
        if caption and attachment.kind != "audio":
            body["caption"] = caption
        return await self._send(access, _SEND_ROUTES.get(attachment.kind, "/api/sendFile"), body)

    async def list_messages(
        self,
        access: ChannelAccess,
        *,
        since_s: float,
        limit: int,
        offset: int,
        chat: str | None = None,
        until_s: float | None = None,
    ) -> list[Mapping[str, Any]]:
        """GET /api/messages (all chats: NOWEB, GOWS) or one chat's; newest first.

        NOWEB answers only with its store enabled; without one the call fails or lists nothing.
        """
        query = {
            "limit": str(limit),
            "offset": str(offset),
            "downloadMedia": "false",
            "filter.timestamp.gte": str(int(since_s)),
        }
        if until_s is not None:
            query["filter.timestamp.lte"] = str(int(until_s))
        path = "/api/messages?" + urlencode(
            {"session": access.session, "chatId": chat or "all", **query}
        )
        return await self._list(access, path)

    async def list_chats(
        self, access: ChannelAccess, *, since_s: float, limit: int, offset: int
    ) -> list[tuple[str, bool]]:
        """GET /api/{session}/chats/overview: each chat, and whether its last word is recent.

        WAHA sorts them by their last message, the latest first.
        """
        query = urlencode({"limit": str(limit), "offset": str(offset)})
        path = f"/api/{quote(access.session)}/chats/overview?{query}"
        chats = await self._list(access, path)
        return [(str(c.get("id")), _last_word_s(c) >= since_s) for c in chats]

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        """GET /api/{session}/lids/{lid}; None while WAHA does not know the phone."""
        path = f"/api/{quote(access.session)}/lids/{quote(lid, safe='')}"
        answer = await self.calls.call(access, "GET", path, None, timeout_s=_LOOKUP_TIMEOUT_S)
        phone = answer.get("pn") if isinstance(answer, Mapping) else None
        return normalise_address(phone) if isinstance(phone, str) and phone else None

    async def _list(self, access: ChannelAccess, path: str) -> list[Mapping[str, Any]]:
        """Return a list of objects; an answer that is none must not pass for an empty one."""
        answer = await self.calls.call(
            access, "GET", path, None, timeout_s=_LOOKUP_TIMEOUT_S, bytes_max=_LISTING_BYTES_MAX
        )
        if not isinstance(answer, list):
            raise ProviderError("waha", "WAHA's list cannot be read")
        return [each for each in answer if isinstance(each, Mapping)]

    async def _send(self, access: ChannelAccess, path: str, body: dict[str, Any]) -> str | None:
        fault_point("send.before_provider_call")
        answer = await self.calls.call(access, "POST", path, body, timeout_s=self._send_timeout_s)
        fault_point("send.after_provider_accepted")
        if not isinstance(answer, Mapping):  # every engine names the message: a proxy's word
            raise ProviderError("waha", "WAHA's answer to a send cannot be read", ambiguous=True)
        return sent_message_id(answer)

    async def _gesture(self, access: ChannelAccess, path: str, chat: str) -> None:
        body = {"session": access.session, "chatId": chat}
        await self.calls.call(access, "POST", path, body, timeout_s=_GESTURE_TIMEOUT_S)


def sent_message_id(answer: object) -> str | None:
    """Find the bare message id in a send's answer, whose shape depends on the engine.

    GOWS ``{id: "true_…_ID"}``, WEBJS ``{id: {_serialized, id}}``, NOWEB ``{key: {id}}``.
    """
    if not isinstance(answer, Mapping):
        return None
    value: object = answer.get("id")
    if isinstance(value, Mapping):
        value = value.get("_serialized") or value.get("id")
    if value is None and isinstance(answer.get("key"), Mapping):
        value = answer["key"].get("id")
    found = parse_message_id(value) if isinstance(value, str) else None
    return found.bare if found else None


def _last_word_s(chat: Mapping[str, Any]) -> float:
    """When a chat was last talked in, in seconds since the epoch; 0 where nobody tells."""
    last = chat.get("lastMessage")
    told = last.get("timestamp") if isinstance(last, Mapping) else None
    return float(told) if isinstance(told, int | float) else 0.0


def _version(text: str | None) -> tuple[int, ...]:
    numbers = re.findall(r"\d+", text or "")[:3]
    return tuple(int(n[:6]) for n in numbers)
