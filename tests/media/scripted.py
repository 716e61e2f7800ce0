"""WAHA's files and the reading of them, scripted; and a customer who sends files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.core.ports import Reading
from app.messaging.media import fetching, sweeping, work
from app.messaging.media.fetching import Tools
from tests.engine import events
from tests.engine.bench import Bench, Business

PHONE = "15550001"
_URL = "http://localhost:3000/api/files/desk/{}.bin"
_TURN = """
    select state, extract(epoch from due_at - now())::float8 as due_s,
           extract(epoch from media_until - now())::float8 as media_s
    from turns where tenant_id = :t order by id desc limit 1
"""


def gone(status: int = 404) -> ProviderError:
    return ProviderError("waha", "no file", status_code=status, retryable=status != 404)


@dataclass
class ScriptedFiles:
    """Hands out what is asked for next; ``again`` is the address that WAHA names when asked."""

    answers: list[bytes | Exception] = field(default_factory=list)
    again: str | None = None
    asked: list[str] = field(default_factory=list)

    async def fetch_media(self, access: ChannelAccess, url: str, *, bytes_max: int) -> bytes:
        del access, bytes_max
        self.asked.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def media_url(self, access: ChannelAccess, message_id: str, chat: str) -> str | None:
        del access
        self.asked.append(f"{message_id} in {chat}")
        return self.again


@dataclass
class ScriptedReader:
    """Reads by its script, then what the file's bytes say."""

    script: list[Reading | Exception | None] = field(default_factory=list)
    read_kinds: list[str] = field(default_factory=list)

    async def read(
        self, kind: str, content_type: str, name: str, data: bytes, *, duration_ms: int | None
    ) -> Reading | None:
        del content_type, name, data, duration_ms
        self.read_kinds.append(kind)
        answer = self.script.pop(0) if self.script else Reading("Are you open?", "ears")
        if isinstance(answer, Exception):
            raise answer
        return answer


class FileDesk:
    """A bench, its files and a business."""

    def __init__(self, bench: Bench, superuser: asyncpg.Connection) -> None:
        self.bench = bench
        self.superuser = superuser
        self.files = ScriptedFiles()
        self.reader = ScriptedReader()

    @property
    def tools(self) -> Tools:
        return Tools(
            database=self.bench.database.db,
            store=self.bench.store,
            source=self.files,
            reader=self.reader,
            settings=self.bench.settings,
            keyring=self.bench.settings.keyring(),
        )

    async def send(
        self,
        business: Business,
        mimetype: str,
        *answers: bytes | Exception,
        caption: str | None = None,
        filename: str | None = None,
        media: bool = True,
        from_me: bool = False,
        phone: str = PHONE,
    ) -> None:
        """A customer sends a file; ``answers`` are what WAHA says when it is fetched."""
        self.files.answers += answers
        payload = events.message(f"{phone}@c.us", caption, from_me=from_me)
        kind = mimetype.partition("/")[0]
        inner = {"application": "document", "text": "document"}.get(kind, kind)
        told = {"url": _URL.format(payload["id"]), "mimetype": mimetype, "filename": filename}
        payload |= {
            "hasMedia": True,
            "media": told if media else None,
            "_data": {"pushName": "Ada", "message": {f"{inner}Message": {}}},
        }
        await self.bench.hook(business, "message.any" if from_me else "message", payload)

    async def work(self) -> int:
        """Fetch and read what is due; return how many files that were."""
        found = await work.claim(self.bench.database.db, files_max=8)
        # In the order in which they were sent, as the scripts are.
        for wanted in sorted(found, key=lambda w: w.id):
            await fetching.process(self.tools, wanted)
        return len(found)

    async def sweep(self) -> int:
        return await sweeping.delete_unreferenced(self.bench.database.db, self.bench.store)

    async def rows(self, business: Business) -> Sequence[Any]:
        return await self.bench.rows(
            "select * from message_media where tenant_id = :t order by id", t=business.tenant_id
        )

    async def row(self, business: Business) -> Any:
        (row,) = await self.rows(business)
        return row

    async def turn(self, business: Business) -> Any:
        return (await self.bench.rows(_TURN, t=business.tenant_id))[0]
