"""WAHA's reading routes: chats, messages, hidden-number ids, contacts, files."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from simulator.clock import now_ms
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.ids import lid_of
from simulator.waha.errors import BadInputError, nest, not_found, unprocessable
from simulator.waha.history import Message
from simulator.waha.payloads import ACK_NAMES
from simulator.waha.service import Waha
from simulator.waha.sessions import Session
from simulator.waha.traffic import normal_chat_id

FILE_LIFE_MS = 180_000
LIMIT_DEFAULT = 10
LIDS_DEFAULT = 100
LIMIT_MAX = 10_000
# A number that is not on WhatsApp, for the "cannot be reached" paths of integrations.
UNREACHABLE_SUFFIX = "0000000"


class ReadingRoutes:
    """Handlers that list what happened; truthful also for messages whose webhook got lost."""

    def __init__(self, waha: Waha) -> None:
        self._waha = waha

    def register(self, router: Router) -> None:
        """Add all routes."""
        router.add("GET", "/api/messages", self.messages)
        router.add("GET", "/api/contacts/check-exists", self.check_exists)
        router.add("GET", "/api/files/{session}/{file}", self.file)
        router.add("GET", "/api/{session}/chats", self.chats)
        router.add("GET", "/api/{session}/chats/overview", self.overview)
        router.add("GET", "/api/{session}/chats/{chat}/messages", self.chat_messages)
        router.add("GET", "/api/{session}/chats/{chat}/messages/{id}", self.message)
        router.add("GET", "/api/{session}/lids", self.lids)
        router.add("GET", "/api/{session}/lids/count", self.lids_count)
        router.add("GET", "/api/{session}/lids/pn/{phone}", self.lid_of_phone)
        router.add("GET", "/api/{session}/lids/{lid}", self.phone_of_lid)

    async def messages(self, request: Request) -> Response:
        """Messages of one chat, or of all with chatId=all, newest first unless asked otherwise."""
        session = await self._waha.working(request.query.get("session") or "default")
        chat = request.query.get("chatId")
        if not chat:
            raise BadInputError("chatId is required")
        return self._listing(session, chat, request.query)

    async def chat_messages(self, request: Request) -> Response:
        """The same by path."""
        session = await self._waha.working(request.params["session"])
        return self._listing(session, request.params["chat"], request.query)

    async def message(self, request: Request) -> Response:
        """One message by its full or bare id; the chat may be `all`."""
        session = await self._waha.working(request.params["session"])
        parts = request.params["id"].split("_")
        found = self._waha.history.find(session.name, parts[2] if len(parts) > 2 else parts[0])  # noqa: PLR2004 - true_chat_ID
        chat = request.params["chat"]
        if found is None or (chat != "all" and not self._in_chat(found, chat)):
            raise HttpError(404, nest(404, "Message not found", "Not Found"))
        if request.query.get("downloadMedia", "true") == "true":
            _download_again(found)
        return json_response(self._waha.traffic.payload(found))

    async def chats(self, request: Request) -> Response:
        """The session's chats, the latest first."""
        session = await self._waha.working(request.params["session"])
        latest = self._latest(session)
        page = _page(iter(latest), request.query, default=len(latest))
        return json_response(
            [
                {"id": m.chat_id, "name": m.push_name, "conversationTimestamp": m.at_ms // 1000}
                for m in page
            ]
        )

    async def overview(self, request: Request) -> Response:
        """The session's chats with their last messages."""
        session = await self._waha.working(request.params["session"])
        page = _page(iter(self._latest(session)), request.query, default=20)
        payload = self._waha.traffic.payload
        return json_response(
            [
                {
                    "id": m.chat_id,
                    "name": m.push_name,
                    "picture": None,
                    "lastMessage": payload(m),
                    "_chat": {"id": m.chat_id},
                }
                for m in page
            ]
        )

    async def check_exists(self, request: Request) -> Response:
        """Whether a number is on WhatsApp: every one is, but those that end in seven zeros."""
        await self._waha.working(request.query.get("session") or "default")
        phone = request.query.get("phone", "").removeprefix("+").partition("@")[0]
        if not phone.isdigit():
            raise BadInputError("phone is required")
        if phone.endswith(UNREACHABLE_SUFFIX):
            return json_response({"numberExists": False})
        return json_response({"numberExists": True, "chatId": f"{phone}@c.us"})

    async def file(self, request: Request) -> Response:
        """The bytes of a message's file, for 180 s."""
        bare = unquote(request.params["file"]).rpartition(".")[0].split("_")
        found = None
        if len(bare) > 2:  # noqa: PLR2004 - true_chat_ID
            found = self._waha.history.find(request.params["session"], bare[2])
        media = found.media if found else None
        if media is None or media.download != "ok" or now_ms() - media.fetched_ms > FILE_LIFE_MS:
            raise not_found(request)
        return Response(body=media.content, headers=[("content-type", media.mimetype)])

    async def lids(self, request: Request) -> Response:
        """Known pairs of hidden-number id and phone."""
        await self._waha.working(request.params["session"])
        pairs = ({"lid": f"{lid}@lid", "pn": f"{pn}@c.us"} for lid, pn in self._waha.history.lids())
        return json_response(list(_page(pairs, request.query, default=LIDS_DEFAULT)))

    async def lids_count(self, request: Request) -> Response:
        """How many pairs are known."""
        await self._waha.working(request.params["session"])
        return json_response({"count": len(self._waha.history.lids())})

    async def phone_of_lid(self, request: Request) -> Response:
        """The phone of a hidden-number id; unknown is 200 with null."""
        await self._waha.working(request.params["session"])
        name, at, domain = request.params["lid"].partition("@")
        if (at and domain != "lid") or not name.isdigit():
            raise unprocessable(f"'{request.params['lid']}' is not a @lid")
        phone = self._waha.history.phone_of_lid(name)
        return json_response({"lid": f"{name}@lid", "pn": f"{phone}@c.us" if phone else None})

    async def lid_of_phone(self, request: Request) -> Response:
        """The hidden-number id of a phone; unknown is 200 with null."""
        await self._waha.working(request.params["session"])
        phone = request.params["phone"].removeprefix("+").partition("@")[0]
        lid = lid_of(phone)
        known = self._waha.history.phone_of_lid(lid) == phone
        return json_response({"lid": f"{lid}@lid" if known else None, "pn": f"{phone}@c.us"})

    def _latest(self, session: Session) -> list[Message]:
        latest: dict[str, Message] = {}
        for message in self._waha.history.newest_first(session.name):
            latest.setdefault(message.chat_id, message)
        return list(latest.values())

    def _in_chat(self, message: Message, chat: str) -> bool:
        """Whether a message belongs to a chat under either of its addresses."""
        return message.phone == self._waha.history.phone_of_chat(normal_chat_id(chat))

    def _listing(self, session: Session, chat: str, query: dict[str, str]) -> Response:
        engine = self._waha.engine
        if chat == "all" and engine.is_browser:
            words = f"chatId=all is not supported by {engine.name}"
            raise HttpError(501, nest(501, words, "Not Implemented"))
        accepts = _filter(query)
        history = self._waha.history
        source: Iterator[Message] = history.newest_first(session.name)
        if chat != "all":
            phone = history.phone_of_chat(normal_chat_id(chat))
            source = (m for m in reversed(history.on_phone(phone)) if m.session == session.name)
        chosen = (message for message in source if accepts(message))
        ordered = iter(list(chosen)[::-1]) if query.get("sortOrder") == "asc" else chosen
        page = _page(ordered, query, default=LIMIT_DEFAULT)
        listed = [self._waha.traffic.payload(message) for message in page]
        if query.get("downloadMedia", "true") != "true":
            listed = [{**each, "media": None} for each in listed]
        return json_response(listed)


def _download_again(message: Message) -> None:
    """Have WAHA fetch a message's file once more, which gives it another three minutes."""
    if message.media is not None and message.media.download != "failed":
        message.media.download = "ok"
        message.media.fetched_ms = now_ms()


def _filter(query: dict[str, str]) -> Any:
    """The `filter.*` parameters as one test; timestamps are seconds, both ends included."""
    at_least = _number(query, "filter.timestamp.gte", 0)
    at_most = _number(query, "filter.timestamp.lte", 1 << 53)
    mine = query.get("filter.fromMe")
    ack = query.get("filter.ack")

    def accepts(message: Message) -> bool:
        if not at_least <= message.at_ms // 1000 <= at_most:
            return False
        if mine is not None and message.from_me != (mine.lower() == "true"):
            return False
        return ack is None or ACK_NAMES.get(message.ack) == ack

    return accepts


def _page(items: Iterator[Any], query: dict[str, str], *, default: int) -> list[Any]:
    limit = min(_number(query, "limit", default), LIMIT_MAX)
    offset = _number(query, "offset", 0)
    page: list[Any] = []
    for index, item in enumerate(items):
        if len(page) >= limit:
            break
        if index >= offset:
            page.append(item)
    return page


def _number(query: dict[str, str], name: str, default: int) -> int:
    value = query.get(name)
    if value is None or value == "":
        return default
    try:
        return int(float(value))
    except (ValueError, OverflowError) as exc:
        raise BadInputError(f"{name} must be a number") from exc
