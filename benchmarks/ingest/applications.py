"""What our webhook is compared with: an empty handler, and what one would build first.

``python -m benchmarks.ingest.applications KIND --port P`` serves one of them with the very
server of `parley serve`, its configuration and its care of the garbage collector.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

from litestar import Litestar, Request, get, post
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath
from sqlalchemy import DateTime, ForeignKey, String, Text, UniqueConstraint, func
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.cli.commands.serve import Server, configuration
from app.core.config import Settings
from app.core.db.engine import async_url
from app.queue import make_celery

EMPTY_PATH = "/webhook"
READY_PATH = "/ready"
TYPICAL_PREFIX = "/hooks/"
_POOL = 20


class Base(DeclarativeBase):
    """The typical application's own tables; they stand beside the product's."""


class Account(Base):
    """A connected number."""

    __tablename__ = "bench_accounts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    secret: Mapped[str] = mapped_column(String(128))


class Event(Base):
    """A received message."""

    __tablename__ = "bench_events"
    __table_args__ = (UniqueConstraint("account", "event_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey(Account.key))
    event_id: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )


@get(READY_PATH)
async def ready() -> str:
    """Say that the server is there."""
    return "ready"


def empty_application() -> Litestar:
    """A POST handler that reads nothing and answers 201."""

    @post(EMPTY_PATH)
    async def nothing() -> None:
        """Do nothing."""

    return Litestar([nothing, ready], openapi_config=None, logging_config=None)


def typical_application(settings: Settings) -> Litestar:
    """Verify, parse, store through an ORM session, count in Redis, publish a task; per request."""
    from redis.asyncio import Redis

    engine = create_async_engine(async_url(settings.database_system_url), pool_size=_POOL)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    redis: Any = Redis.from_url(settings.redis_url)
    celery = make_celery(settings)

    @celery.task(name="benchmark.process_event", ignore_result=True)  # type: ignore[misc,untyped-decorator,unused-ignore]
    def process_event(event_id: int) -> None:
        del event_id

    @post(TYPICAL_PREFIX + "{key:str}", status_code=200)
    async def webhook(request: Request[Any, Any, Any], key: FromPath[str]) -> dict[str, str]:
        """Take one event."""
        raw = await request.body()
        async with sessions() as session, session.begin():
            account = await session.get(Account, key)
            if account is None:
                raise NotAuthorizedException
            expected = hmac.new(account.secret.encode(), raw, hashlib.sha512).hexdigest()
            if not hmac.compare_digest(expected, request.headers.get("x-webhook-hmac", "")):
                raise NotAuthorizedException
            body = json.loads(raw)
            event = Event(account=key, event_id=body["id"], kind=body["event"], body=raw.decode())
            session.add(event)
        await redis.incr(f"bench:{key}")
        process_event.delay(event.id)
        return {"status": "accepted"}

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        yield
        await redis.aclose()
        await engine.dispose()

    return Litestar([webhook, ready], lifespan=[lifespan], openapi_config=None, logging_config=None)


class FixedAnswer(asyncio.Protocol):
    """Answers every request at once, unread: what the generator itself can do at most."""

    _ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """A request of ours fits into one read; its last bytes end the JSON or the head."""
        if data.endswith((b"}", b"\r\n\r\n")):
            self._transport.write(self._ANSWER)


async def _serve_fixed(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(FixedAnswer, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve one of the applications until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["empty", "typical", "fixed"])
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.kind == "fixed":
        import uvloop

        uvloop.run(_serve_fixed(arguments.port))
        return
    application: Any = (
        empty_application()
        if arguments.kind == "empty"
        else typical_application(Settings.from_environ())
    )
    Server(configuration("127.0.0.1", arguments.port, application)).run()


if __name__ == "__main__":
    main()
