"""One event loop a worker process: Celery's pool threads hand coroutines to it and wait.

Threads cost a stack each and cannot be cancelled, coroutines can: hundreds of model calls
wait in one process, and a stop can cut them off.
"""

import asyncio
import gc
import logging
import os
import socket
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import uvloop

from app.assistant.assembly import Assistant, build_assistant
from app.assistant.knowledge.crawling import Crawler
from app.assistant.knowledge.indexing import Indexer
from app.assistant.media import FileReader
from app.assistant.summaries import Summaries
from app.channels.waha.client import WahaClient
from app.channels.waha.files import WahaFiles
from app.channels.waha.sessions import WahaSessions
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.mail.delivery import MailDelivery
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from app.core.media.store import open_store
from app.core.outbound import outbound_session
from app.llm.media import OpenAIMedia
from app.messaging.desk.delivering import DeskDelivery
from app.messaging.media.fetching import Tools as MediaTools
from app.messaging.numbers.keeping import NumberKeeper
from app.messaging.reconcile import Reconciler
from app.messaging.turns.model import Engine
from billing.notices.letters import Notices
from billing.payments.applying import Effects
from billing.payments.events import EventProcessor
from billing.payments.stripe_api import StripeApi
from tenants.phone_codes import PhoneCodes
from workers.desk import DeskRunner
from workers.draining import Drain
from workers.heartbeat import beat_for_ever, stop_beating
from workers.inbox import InboxDrain
from workers.media import MediaRunner
from workers.numbers import keep_for_ever
from workers.reconciling import reconcile_for_ever
from workers.turns import TurnRunner

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 20.0
_BACKGROUND_STOP_S = 0.2
_DATABASE_POOL = 16

Result = TypeVar("Result")


def instance_name(service: str) -> str:
    """Return a name for this process, unique over machines and restarts."""
    return f"{service}:{socket.gethostname()[:40]}:{os.getpid()}:{str(ids.uuid7())[-8:]}"


@dataclass(slots=True)
class _Parts:
    """What lives on the loop."""

    database: Database
    limiter: Limiter
    assistant: Assistant
    sessions: list[aiohttp.ClientSession]
    turns: TurnRunner
    desk: DeskRunner
    inbox: InboxDrain
    media: MediaRunner
    media_model: OpenAIMedia
    mails: Drain
    events: Drain
    knowledge: Drain
    background: list[asyncio.Task[None]]


class Runtime:
    """The worker's loop in a thread of its own, and what runs on it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance = instance_name("worker")
        # The API's loop too: a reply is dozens of small reads and writes.
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._parts: _Parts | None = None

    def start(self) -> None:
        """Start the loop and build everything on it; errors reach the caller."""
        self._thread.start()
        self._parts = self.call(self._build(), timeout_s=_START_TIMEOUT_S)
        # What is loaded by now stays: a full collection need not walk it (57 ms) ever again.
        gc.collect()
        gc.freeze()

    def call(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        """Run a coroutine on the loop and wait for it, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def drain_inbox(self) -> None:
        """Normalise what waits in the inbox (a Celery task's whole work)."""
        if self._parts is not None:
            self.call(self._parts.inbox.drain(), timeout_s=self._settings.timings.drain_s)

    def drain_turns(self) -> None:
        """Let the runners claim what is due; it goes on after this returns."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.turns.kick)
            self._loop.call_soon_threadsafe(self._parts.desk.kick)

    def fetch_media(self) -> None:
        """Let wanted files be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.media.kick)

    def send_mails(self) -> None:
        """Let the outbox be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.mails.kick)

    def read_knowledge(self) -> None:
        """Let documents that are due be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.knowledge.kick)

    def process_events(self) -> None:
        """Let Stripe's events be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.events.kick)

    def stop(self) -> None:
        """Stop claiming, give turns back, close what can be closed in time."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            self.call(self._close(parts), timeout_s=self._settings.timings.stop_grace_s + 2)

    async def _build(self) -> _Parts:
        settings = self._settings
        database = Database.from_settings(settings, pool_size=_DATABASE_POOL)
        await database.check()
        trusted = outbound_session(settings, guarded=False)
        guarded = outbound_session(settings, guarded=True)
        limiter = build_limiter(settings)
        waha = WahaClient(
            trusted=trusted, guarded=guarded, send_timeout_s=settings.timings.send_timeout_s
        )
        codes = PhoneCodes(database, limiter, settings, waha)
        assistant = build_assistant(settings, database, guarded, codes=codes)
        engine = Engine(
            database=database,
            answerer=assistant.answerer,
            sender=waha,
            limiter=limiter,
            settings=settings,
            keyring=settings.keyring(),
            owner=self._instance,
            store=open_store(settings),
        )
        media_model = OpenAIMedia(settings)
        files = WahaFiles(waha.calls, trusted=trusted, guarded=guarded)
        media = self._media(engine, files, media_model)
        turns = TurnRunner(engine)
        desk = DeskRunner(DeskDelivery(engine), sweep_s=settings.timings.sweep_s)
        keeper = NumberKeeper(database, WahaSessions(waha.calls), settings, engine.keyring)
        reconciler = Reconciler(database, waha, settings, engine.keyring)
        inbox = InboxDrain(database, settings, media.kick)
        mails, events = self._mails(database, trusted), self._events(database, trusted)
        written = Summaries(database, assistant.model, settings)
        summaries = Drain("summaries", written.write_batch, settings.timings.sweep_s)
        knowledge = self._knowledge(assistant, database, guarded)
        turns.start()
        media.start()
        beat = beat_for_ever(
            database,
            service="worker",
            instance=self._instance,
            figures=lambda: {"running": turns.running},
        )
        background = [
            asyncio.create_task(assistant.model.warm_up(), name="warm_up"),
            asyncio.create_task(beat, name="heartbeat"),
            asyncio.create_task(inbox.sweep_for_ever(), name="inbox.sweep"),
            asyncio.create_task(desk.run_for_ever(), name="desk"),
            asyncio.create_task(mails.run_for_ever(), name="mail"),
            asyncio.create_task(events.run_for_ever(), name="webhook"),
            asyncio.create_task(summaries.run_for_ever(), name="summaries"),
            asyncio.create_task(knowledge.run_for_ever(), name="knowledge"),
            asyncio.create_task(keep_for_ever(keeper, settings.timings.sweep_s), name="numbers"),
            asyncio.create_task(
                reconcile_for_ever(reconciler, inbox, settings.timings.sweep_s), name="reconcile"
            ),
        ]
        return _Parts(
            database=database,
            limiter=limiter,
            assistant=assistant,
            sessions=[trusted, guarded],
            turns=turns,
            desk=desk,
            inbox=inbox,
            media=media,
            media_model=media_model,
            mails=mails,
            events=events,
            knowledge=knowledge,
            background=background,
        )

    def _media(self, engine: Engine, files: WahaFiles, model: OpenAIMedia) -> MediaRunner:
        return MediaRunner(
            MediaTools(
                database=engine.database,
                store=engine.store,
                source=files,
                reader=FileReader(model),
                settings=engine.settings,
                keyring=engine.keyring,
            )
        )

    def _knowledge(
        self, assistant: Assistant, database: Database, guarded: aiohttp.ClientSession
    ) -> Drain:
        settings = self._settings
        crawler = Crawler(guarded, settings.app_url)
        polite_s = settings.timings.crawl_pause_s
        indexer = Indexer(database, assistant.embedder, crawler, polite_s=polite_s)
        return Drain("knowledge", indexer.work_batch, settings.timings.sweep_s)

    def _mails(self, database: Database, session: aiohttp.ClientSession) -> Drain:
        settings = self._settings
        delivery = MailDelivery(database, settings, ResendClient(settings, session))
        return Drain("mail", delivery.drain_batch, settings.timings.sweep_s)

    def _events(self, database: Database, session: aiohttp.ClientSession) -> Drain:
        settings = self._settings
        notices = Notices(Outbox(settings.keyring()), settings.app_url)
        effects = Effects(StripeApi(settings, session), notices)
        processor = EventProcessor(database, settings, effects)
        return Drain("webhook", processor.process_batch, settings.timings.sweep_s)

    async def _close(self, parts: _Parts) -> None:
        for task in parts.background:
            task.cancel()
        await parts.turns.stop(self._settings.timings.stop_grace_s)
        await parts.media.stop()
        # They give leases back; whoever cannot do it by now leaves them to run out.
        await asyncio.wait(parts.background, timeout=_BACKGROUND_STOP_S)
        closing = [
            stop_beating(parts.database, instance=self._instance),
            parts.assistant.close(),
            parts.media_model.close(),
            parts.limiter.close(),
            *(session.close() for session in parts.sessions),
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        await parts.database.close()
