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

from app.assistant.answering import ModelAnswerer
from app.channels.waha.client import WahaClient
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.mail.delivery import MailDelivery
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from app.core.outbound import outbound_session
from app.llm.openai import OpenAIModel
from app.messaging.reconcile import Reconciler
from app.messaging.turns.model import Engine
from billing.notices.letters import Notices
from billing.payments.applying import Effects
from billing.payments.events import EventProcessor
from billing.payments.stripe_api import StripeApi
from workers.draining import Drain
from workers.heartbeat import beat_for_ever, stop_beating
from workers.inbox import InboxDrain
from workers.reconciling import reconcile_for_ever
from workers.turns import TurnRunner

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 20.0
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
    model: OpenAIModel
    sessions: list[aiohttp.ClientSession]
    turns: TurnRunner
    inbox: InboxDrain
    mails: Drain
    events: Drain
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
        """Let the runner claim what is due; the turns run on after this returns."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.turns.kick)

    def send_mails(self) -> None:
        """Let the outbox be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.mails.kick)

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
        model = OpenAIModel(settings)
        waha = WahaClient(
            trusted=trusted, guarded=guarded, send_timeout_s=settings.timings.send_timeout_s
        )
        engine = Engine(
            database=database,
            answerer=ModelAnswerer(model, settings),
            sender=waha,
            limiter=limiter,
            settings=settings,
            keyring=settings.keyring(),
            owner=self._instance,
        )
        turns = TurnRunner(engine)
        reconciler = Reconciler(database, waha, settings, engine.keyring)
        inbox = InboxDrain(database, settings)
        mails, events = self._mails(database, trusted), self._events(database, trusted)
        turns.start()
        beat = beat_for_ever(
            database,
            service="worker",
            instance=self._instance,
            figures=lambda: {"running": turns.running},
        )
        background = [
            asyncio.create_task(model.warm_up(), name="warm_up"),
            asyncio.create_task(beat, name="heartbeat"),
            asyncio.create_task(inbox.sweep_for_ever(), name="inbox.sweep"),
            asyncio.create_task(mails.run_for_ever(), name="mail"),
            asyncio.create_task(events.run_for_ever(), name="webhook"),
            asyncio.create_task(
                reconcile_for_ever(reconciler, inbox, settings.timings.sweep_s), name="reconcile"
            ),
        ]
        return _Parts(
            database, limiter, model, [trusted, guarded], turns, inbox, mails, events, background
        )

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
        closing = [
            stop_beating(parts.database, instance=self._instance),
            parts.model.close(),
            parts.limiter.close(),
            *(session.close() for session in parts.sessions),
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        await parts.database.close()
