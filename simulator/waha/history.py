"""What every phone shows: all messages ever exchanged, by phone, by session and by id."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.ids import lid_of, secret_token

MESSAGES_MAX = 200_000
MEDIA_BYTES_MAX = 96 * 1024 * 1024
Author = Literal["customer", "assistant", "owner"]
READ_TICKS = 3


@dataclass(slots=True)
class Media:
    """A file that went with a message; `key` is its unguessable address on the pages.

    `download` is how WAHA fared with it: `ok`, `failed`, or `off` (it downloads when asked to).
    WAHA keeps what it downloaded for three minutes from `fetched_ms`.
    """

    kind: str
    mimetype: str
    filename: str | None
    content: bytes
    at_ms: int
    key: str = field(default_factory=secret_token)
    download: Literal["ok", "failed", "off"] = "ok"
    fetched_ms: int = 0

    def __post_init__(self) -> None:
        self.fetched_ms = self.fetched_ms or self.at_ms

    def extension(self) -> str:
        """The file's ending as WAHA names it, from the MIME type."""
        subtype = self.mimetype.partition(";")[0].partition("/")[2]
        return {"jpeg": "jpg", "ogg": "oga", "mpeg": "mp3", "plain": "txt"}.get(subtype, subtype)


@dataclass(slots=True, kw_only=True)
class Message:
    """One message; `id` is WhatsApp's bare id, `ack` runs from -1 (error) to 3 (read)."""

    id: str
    session: str
    phone: str
    chat_id: str
    author: Author
    text: str | None
    at_ms: int
    source: str
    me: str | None
    sender: str | None = None
    push_name: str | None = None
    ack: int = 0
    media: Media | None = None
    reaction: str | None = None
    reply_to: str | None = None

    @property
    def from_me(self) -> bool:
        """Whether the business sent it."""
        return self.author != "customer"

    @property
    def full_id(self) -> str:
        """The id in WAHA's form: `{fromMe}_{chat}_{id}`, in groups with the sender behind it."""
        own = "true" if self.from_me else "false"
        tail = f"_{self.sender}" if self.sender else ""
        return f"{own}_{self.chat_id}_{self.id}{tail}"

    def view(self) -> dict[str, Any]:
        """The message as the phone list shows it; `text` is the caption of media."""
        view: dict[str, Any] = {
            "id": self.id,
            "author": self.author,
            "text": self.text or "",
            "at_ms": self.at_ms,
            "ticks": max(0, min(self.ack, READ_TICKS)),
        }
        if self.ack < 0:
            view["failed"] = True
        if self.reaction:
            view["reaction"] = self.reaction
        if self.media:
            view["media"] = {
                "kind": self.media.kind,
                "mimetype": self.media.mimetype,
                "filename": self.media.filename,
                "url": f"/_sim/media/{self.media.key}",
            }
        return view


class History:
    """The messages of all phones, bounded to the newest `MESSAGES_MAX`.

    A phone is named by its digits, `lid:<n>` for a hidden number nobody knows the phone of, or the
    chat id for groups and channels.
    """

    def __init__(self) -> None:
        self._all: deque[Message] = deque()
        self._phones: dict[str, deque[Message]] = {}
        self._sessions: dict[str, deque[Message]] = {}
        self._ids: dict[tuple[str, str], Message] = {}
        self._lids: dict[str, str] = {}
        self._media: dict[str, Media] = {}
        self._media_bytes = 0
        self.typing: set[str] = set()

    def meet(self, phone: str) -> str:
        """Learn a phone's hidden-number id and return it."""
        lid = lid_of(phone)
        self._lids[lid] = phone
        return lid

    def lids(self) -> list[tuple[str, str]]:
        """The known (lid, phone) pairs."""
        return list(self._lids.items())

    def phone_of_lid(self, lid: str) -> str | None:
        """The phone behind a hidden-number id, when it is known."""
        return self._lids.get(lid)

    def phone_of_chat(self, chat_id: str) -> str:
        """The phone that shows a chat."""
        name, _, domain = chat_id.partition("@")
        if domain in {"c.us", "s.whatsapp.net"}:
            return name.partition(":")[0]
        if domain == "lid":
            return self._lids.get(name, f"lid:{name}")
        return chat_id

    def add(self, message: Message) -> None:
        """Show a message, and let the oldest go when there are too many."""
        self._all.append(message)
        self._phones.setdefault(message.phone, deque()).append(message)
        self._sessions.setdefault(message.session, deque()).append(message)
        self._ids[message.session, message.id] = message
        if message.media:
            self._keep(message.media)
        if len(self._all) > MESSAGES_MAX:
            self._drop_oldest()

    def find(self, session: str, bare_id: str) -> Message | None:
        """A message by its session and bare id."""
        return self._ids.get((session, bare_id))

    def on_phone(self, phone: str) -> list[Message]:
        """What a phone shows, in order; nothing when it was never seen."""
        return list(self._phones.get(phone, ()))

    def newest_first(self, session: str) -> Iterator[Message]:
        """A session's messages, newest first."""
        return reversed(self._sessions.get(session, deque()))

    def phones(self) -> list[str]:
        """Every phone that shows something, the latest talker first."""
        return sorted(self._phones, key=lambda phone: -self._phones[phone][-1].at_ms)

    def media(self, key: str) -> Media | None:
        """A file by its page address."""
        return self._media.get(key)

    def forget(self) -> int:
        """Forget all phones and messages; returns how many messages there were."""
        gone = len(self._all)
        for store in (self._all, self._phones, self._sessions, self._ids, self._media, self._lids):
            store.clear()
        self.typing.clear()
        self._media_bytes = 0
        return gone

    def _keep(self, media: Media) -> None:
        self._media[media.key] = media
        self._media_bytes += len(media.content)
        while self._media_bytes > MEDIA_BYTES_MAX and len(self._media) > 1:
            oldest = self._media.pop(next(iter(self._media)))
            self._media_bytes -= len(oldest.content)

    def _drop_oldest(self) -> None:
        oldest = self._all.popleft()
        for table, key in ((self._phones, oldest.phone), (self._sessions, oldest.session)):
            table[key].popleft()
            if not table[key]:
                del table[key]
        self._ids.pop((oldest.session, oldest.id), None)
