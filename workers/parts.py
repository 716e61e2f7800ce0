"""What lives on a worker's loop: put together at the start, given back at the stop."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from app.assistant.assembly import Assistant, build_assistant
from app.assistant.knowledge.crawling import Crawler
from app.assistant.knowledge.indexing import Indexer
from app.assistant.media import FileReader
from app.assistant.summaries import Summaries
from app.channels.waha.client import WahaClient
from app.channels.waha.files import WahaFiles
from app.channels.waha.sessions import WahaSessions
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.mail.delivery import MailDelivery
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from app.core.media.opening import open_store
from app.core.observability.sentry import capture
from app.core.outbound import outbound_session
from app.llm.media import OpenAIMedia
from app.messaging.desk.delivering import DeskDelivery
from app.messaging.media.fetching import Tools as MediaTools
from app.messaging.numbers.keeping import NumberKeeper
from app.messaging.reconcile import Reconciler
from app.messaging.turns.model import Engine
from billing.notices.letters import Notices
from billing.payments.applying import Effects
from billing.payments.charging import Charger
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

_BACKGROUND_STOP_S = 0.2
_DATABASE_POOL = 16


@dataclass(slots=True)
class Pools:
    """What everything works with: connections, the limiter, WhatsApp.

    ``trusted`` calls who stands in the settings, ``guarded`` whom tenants name.
    """

    settings: Settings
    database: Database
    limiter: Limiter
    trusted: aiohttp.ClientSession
    guarded: aiohttp.ClientSession
    waha: WahaClient

    @classmethod
    async def open(cls, settings: Settings) -> "Pools":
        """Open them; an error when the database cannot serve."""
        database = Database.from_settings(settings, pool_size=_DATABASE_POOL)
        await database.check()
        trusted = outbound_session(settings, guarded=False)
        guarded = outbound_session(settings, guarded=True)
        waha = WahaClient(
            trusted=trusted, guarded=guarded, send_timeout_s=settings.timings.send_timeout_s
        )
        return cls(settings, database, build_limiter(settings), trusted, guarded, waha)


@dataclass(slots=True)
class Parts:
    """The runners that bells kick, and the tasks that go on by themselves."""

    pools: Pools
    instance: str
    assistant: Assistant
    media_model: OpenAIMedia
    engine: Engine
    turns: TurnRunner
    desk: DeskRunner
    media: MediaRunner
    inbox: InboxDrain
    mails: Drain
    events: Drain
    charges: Drain
    knowledge: Drain
    summaries: Drain
    background: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def build(cls, settings: Settings, instance: str) -> "Parts":
        """Build and start everything; an error when the database cannot serve."""
        pools = await Pools.open(settings)
        codes = PhoneCodes(pools.database, pools.limiter, settings, pools.waha)
        assistant = build_assistant(settings, pools.database, pools.guarded, codes=codes)
        engine = _engine(pools, assistant, instance)
        media_model = OpenAIMedia(settings)
        media = _media(engine, pools, media_model)
        parts = cls(
            pools=pools,
            instance=instance,
            assistant=assistant,
            media_model=media_model,
            engine=engine,
            turns=TurnRunner(engine),
            desk=DeskRunner(DeskDelivery(engine), sweep_s=settings.timings.sweep_s),
            media=media,
            inbox=InboxDrain(pools.database, settings, media.kick),
            mails=_mails(pools),
            events=_events(pools),
            charges=_charges(pools),
            knowledge=_knowledge(pools, assistant),
            summaries=_summaries(pools, assistant),
        )
        parts.turns.start()
        parts.media.start()
        for name, work in parts.for_ever():
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(tell_of_end)
            parts.background.append(task)
        return parts

    def for_ever(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Yield what goes on until the stop, by name."""
        settings, database = self.pools.settings, self.pools.database
        sweep_s, keyring = settings.timings.sweep_s, self.engine.keyring
        keeper = NumberKeeper(database, WahaSessions(self.pools.waha.calls), settings, keyring)
        reconciler = Reconciler(database, self.pools.waha, settings, keyring)
        yield "warm_up", self.assistant.model.warm_up()
        yield (
            "heartbeat",
            beat_for_ever(
                database,
                service="worker",
                instance=self.instance,
                figures=lambda: {"running": self.turns.running},
            ),
        )
        yield "inbox.sweep", self.inbox.sweep_for_ever()
        yield "desk", self.desk.run_for_ever()
        yield "mail", self.mails.run_for_ever()
        yield "webhook", self.events.run_for_ever()
        yield "charges", self.charges.run_for_ever()
        yield "summaries", self.summaries.run_for_ever()
        yield "knowledge", self.knowledge.run_for_ever()
        yield "numbers", keep_for_ever(keeper, sweep_s)
        yield "reconcile", reconcile_for_ever(reconciler, self.inbox, sweep_s)

    async def close(self) -> None:
        """Stop claiming, give leases back, close the connections."""
        for task in self.background:
            task.cancel()
        await self.turns.stop(self.pools.settings.timings.stop_grace_s)
        await self.media.stop()
        # They give leases back; whoever cannot do it by now leaves them to run out.
        await asyncio.wait(self.background, timeout=_BACKGROUND_STOP_S)
        closing = [
            stop_beating(self.pools.database, instance=self.instance),
            self.assistant.close(),
            self.media_model.close(),
            self.pools.limiter.close(),
            self.pools.trusted.close(),
            self.pools.guarded.close(),
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        await self.pools.database.close()


def tell_of_end(task: asyncio.Task[None]) -> None:
    """Report a part that ended by an error: none of them is meant to."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        extra = {"task": task.get_name(), "errorType": type(error).__name__}
        log.error("a part of the worker ended", exc_info=error, extra=extra)
        capture(error)


def _engine(pools: Pools, assistant: Assistant, instance: str) -> Engine:
    return Engine(
        database=pools.database,
        answerer=assistant.answerer,
        sender=pools.waha,
        limiter=pools.limiter,
        settings=pools.settings,
        keyring=pools.settings.keyring(),
        owner=instance,
        store=open_store(pools.settings),
    )


def _media(engine: Engine, pools: Pools, model: OpenAIMedia) -> MediaRunner:
    return MediaRunner(
        MediaTools(
            database=engine.database,
            store=engine.store,
            source=WahaFiles(pools.waha.calls, trusted=pools.trusted, guarded=pools.guarded),
            reader=FileReader(model),
            settings=engine.settings,
            keyring=engine.keyring,
        )
    )


def _mails(pools: Pools) -> Drain:
    settings = pools.settings
    delivery = MailDelivery(pools.database, settings, ResendClient(settings, pools.trusted))
    return Drain("mail", delivery.drain_batch, settings.timings.sweep_s)


def _events(pools: Pools) -> Drain:
    settings = pools.settings
    effects = Effects(StripeApi(settings, pools.trusted), _notices(settings))
    processor = EventProcessor(pools.database, settings, effects)
    return Drain("webhook", processor.process_batch, settings.timings.sweep_s)


def _charges(pools: Pools) -> Drain:
    # Beside the events: a card that takes its time keeps nobody's payment waiting.
    settings = pools.settings
    stripe = StripeApi(settings, pools.trusted)
    charger = Charger(pools.database, settings, stripe, _notices(settings))
    return Drain("charges", charger.process_batch, settings.timings.sweep_s)


def _notices(settings: Settings) -> Notices:
    return Notices(Outbox(settings.keyring()), settings.app_url)


def _knowledge(pools: Pools, assistant: Assistant) -> Drain:
    settings = pools.settings
    crawler = Crawler(pools.guarded, settings.app_url)
    polite_s = settings.timings.crawl_pause_s
    indexer = Indexer(pools.database, assistant.embedder, crawler, polite_s=polite_s)
    return Drain("knowledge", indexer.work_batch, settings.timings.sweep_s)


def _summaries(pools: Pools, assistant: Assistant) -> Drain:
    written = Summaries(pools.database, assistant.model, pools.settings)
    return Drain("summaries", written.write_batch, pools.settings.timings.sweep_s)
