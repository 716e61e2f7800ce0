"""WAHA's sending routes: text, media, seen, typing, reactions."""

import base64
import binascii
from typing import Any

from simulator.clock import now_ms
from simulator.http import Request, Response, Router, json_response
from simulator.ids import api_message_id
from simulator.waha.errors import BadInputError, json_object, unprocessable
from simulator.waha.history import Media
from simulator.waha.payloads import send_result
from simulator.waha.service import Waha
from simulator.waha.sessions import Session

_ID_PARTS = 3


class SendingRoutes:
    """Handlers for /api/send…, typing, seen and reactions; answers differ by engine."""

    def __init__(self, waha: Waha) -> None:
        self._waha = waha

    def register(self, router: Router) -> None:
        """Add all routes."""
        router.add("POST", "/api/sendText", self.send_text)
        for route, kind in (
            ("sendImage", "image"),
            ("sendFile", "document"),
            ("sendVoice", "voice"),
            ("sendVideo", "video"),
        ):
            router.add("POST", f"/api/{route}", self._media_sender(kind))
        router.add("POST", "/api/sendSeen", self.send_seen)
        router.add("POST", "/api/startTyping", self.start_typing)
        router.add("POST", "/api/stopTyping", self.stop_typing)
        router.add("PUT", "/api/reaction", self.reaction)
        router.add("GET", "/api/{session}/new-message-id", self.new_message_id)

    async def send_text(self, request: Request) -> Response:
        """Send a text; 201 says that WhatsApp took it, not that it arrived."""
        body = json_object(request)
        session = await self._waha.working(body.get("session"))
        message = self._waha.traffic.send(
            session,
            body["chatId"].strip(),
            text=str(body["text"]),
            client_id=body.get("id") or None,
            reply_to=_bare(body.get("reply_to")),
        )
        return json_response(send_result(message, self._waha.engine), status=201)

    def _media_sender(self, kind: str) -> Any:
        async def send(request: Request) -> Response:
            body = json_object(request)
            session = await self._waha.working(body.get("session"))
            chat_id = body["chatId"].strip()
            media = _media(body["file"], kind)
            message = self._waha.traffic.send(
                session,
                chat_id,
                text=body.get("caption") or None,
                media=media,
                reply_to=_bare(body.get("reply_to")),
            )
            return json_response(send_result(message, self._waha.engine), status=201)

        return send

    async def send_seen(self, request: Request) -> Response:
        """Mark a chat, or some of its messages, as read."""
        body, session = await self._body_and_session(request)
        ids = body.get("messageIds") or ([body["messageId"]] if body.get("messageId") else [])
        bare = {_bare(one) or "" for one in ids}
        read = self._waha.traffic.seen(session, body["chatId"], bare)
        return json_response({"ids": read}, status=201)

    async def start_typing(self, request: Request) -> Response:
        """Show "typing" until stopped or until a message is sent."""
        body, _ = await self._body_and_session(request)
        self._waha.traffic.typing(body["chatId"], active=True)
        return json_response({"result": True}, status=201)

    async def stop_typing(self, request: Request) -> Response:
        """Hide "typing"."""
        body, _ = await self._body_and_session(request)
        self._waha.traffic.typing(body["chatId"], active=False)
        return json_response({"result": True}, status=201)

    async def reaction(self, request: Request) -> Response:
        """React to a message; an empty reaction takes it away."""
        body, session = await self._body_and_session(request)
        full_id = str(body["messageId"])
        if len(full_id.split("_")) < _ID_PARTS:
            raise BadInputError(f"Message id '{full_id}' is not in the form true_chat_ID")
        message = self._waha.traffic.react(session, _bare(full_id) or "", str(body["reaction"]))
        if message is None:
            raise unprocessable(f"Message '{full_id}' was not found")
        return json_response({"id": api_message_id(), "reaction": body["reaction"]})

    async def new_message_id(self, request: Request) -> Response:
        """A fresh id for `id` in sendText."""
        await self._waha.working(request.params["session"])
        return json_response({"id": api_message_id()})

    async def _body_and_session(self, request: Request) -> tuple[dict[str, Any], Session]:
        body = json_object(request)
        return body, await self._waha.working(body.get("session"))


def _bare(message_id: Any) -> str | None:
    """The bare id within WAHA's full form; a bare one stays as it is."""
    if not message_id:
        return None
    parts = str(message_id).split("_")
    return parts[2] if len(parts) >= _ID_PARTS else parts[-1]


def _media(file: dict[str, Any], kind: str) -> Media:
    """The file of a send; one given by address shows as a name, nothing is downloaded."""
    content = b""
    if file.get("data"):
        try:
            content = base64.b64decode(file["data"], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise BadInputError("file.data must be base64") from exc
    elif not file.get("url"):
        raise BadInputError("file must have url or data")
    filename = file.get("filename") or str(file.get("url") or "").rpartition("/")[2] or None
    mimetype = file.get("mimetype") or "application/octet-stream"
    return Media(kind, mimetype, filename, content, now_ms())
