"""The one place where the API is put together: pools, doors, probes, routes.

Importing the application stays cheap: what is heavy and not needed to answer the first
health check (PostgreSQL's and Redis's drivers, Celery, Sentry) is loaded when the application
starts, or with the first request where a host does not run lifespans.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from uuid import UUID

from litestar import Litestar, Router, asgi
from litestar.exceptions import HTTPException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.db.revision import is_migrated
from app.core.errors import ConfigurationError, ParleyError, PrivilegedRoleError
from app.core.faults import install_from_environment
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.logging import configure
from app.core.observability.sentry import close_sentry, init_sentry
from app.core.redis import redis_client
from app.dashboard.entrance import Entrance
from app.http import headers
from app.http.application import Application, Door
from app.http.edge import Tools as EdgeTools
from app.http.edge import edge
from app.http.health import Health, Probes, QueueState, health_routes
from app.http.mail_events import Tools as MailTools
from app.http.mail_events import mail_events
from app.http.metrics import metrics_routes
from app.http.problems import on_http_error, on_parley_error, on_unexpected
from app.http.replies import DirectDoor
from app.http.requests import request_context
from app.messaging import figures, reconcile
from app.messaging.ingest.group_commit import GroupCommit
from app.messaging.ingest.routes import CHANNEL_MOUNT, SHARED_PATH, WebhookDoor
from app.messaging.routes import api_routes as messaging_routes
from app.queue import CeleryDoorbell, make_celery
from billing.ledger.service import open_wallet
from billing.payments.door import PATH as STRIPE_PATH
from billing.payments.door import StripeDoor
from billing.payments.periods import begin_first
from billing.routes import api_routes as billing_routes
from tenants.api import PREFIX as API_PREFIX
from tenants.api import Tools as KeyTools
from tenants.api import api_key_required, me
from tenants.api_keys import ApiKeys
from tenants.channels import ChannelDirectory
from tenants.deny_list import DenyList

log = logging.getLogger(__name__)

SERVICE = "api"
_CHANNEL_DOORS = f"{CHANNEL_MOUNT}/"
_CHANNEL_TARGETS = _CHANNEL_DOORS.encode()


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the API. ConfigurationError names every setting that cannot be used."""
    settings = settings or Settings.from_environ()
    configure(SERVICE, settings.log_level)
    install_from_environment()
    api = _Api(settings)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await api.parts()
        yield
        await api.close()

    health = Health(_probes(api), service=settings.service_name, version=version("parley"))

    async def figures_now() -> figures.Figures:
        return await figures.read((await api.parts()).database)

    async def mail_tools() -> MailTools:
        parts = await api.parts()
        return parts.database, parts.limiter

    framework = Router(
        path="/",
        route_handlers=[
            *health_routes(health),
            *metrics_routes(settings, figures_now),
            mail_events(settings, mail_tools),
        ],
        middleware=[request_context(settings.trusted_proxies)],
    )
    return Application(
        find_door=api.find_door,
        find_direct=api.find_direct,
        pages=api.pages,
        route_handlers=[*_doors(api), framework, _rest(api)],
        before_send=[headers.before_send(settings.app_url)],
        lifespan=[lifespan],
        # Else the framework serves a document of the routes, on pages that load foreign scripts.
        openapi_config=None,
        exception_handlers={
            HTTPException: on_http_error,
            ParleyError: on_parley_error,
            Exception: on_unexpected,
        },
        logging_config=None,
        debug=False,
    )


def _rest(api: "_Api") -> Router:
    """The REST API: every route of it asks for a key."""
    settings = api.settings

    async def database() -> Database:
        return (await api.parts()).database

    async def edge_tools() -> EdgeTools:
        parts = await api.parts()
        return parts.limiter, parts.deny_list.holds

    async def key_tools() -> KeyTools:
        parts = await api.parts()
        return parts.limiter, parts.api_keys

    return Router(
        path=API_PREFIX,
        route_handlers=[me, *messaging_routes(database), *billing_routes(database)],
        middleware=[
            request_context(settings.trusted_proxies),
            edge(settings, edge_tools),
            api_key_required(key_tools),
        ],
    )


def require_servable(settings: Settings) -> None:
    """Raise ConfigurationError naming what a serving process cannot do without.

    Importing the application does not need it (tools do that), starting it does.
    """
    missing = [
        f"{name.upper()} is missing: {what}."
        for name, what in (
            ("database_url", "the login parley_app"),
            ("database_system_url", "the login parley_system"),
            ("redis_url", "Celery's broker"),
        )
        if not getattr(settings, name)
    ]
    if missing:
        raise ConfigurationError(missing)
    settings.keyring()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a running API consists of."""

    database: Database
    limiter: Limiter
    doorbell: CeleryDoorbell
    ingest: GroupCommit
    door: WebhookDoor
    stripe: StripeDoor
    deny_list: DenyList
    api_keys: ApiKeys
    waha: Any
    sessions: list[Any]


class _Api:
    """Builds the parts once, on the loop that serves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts: _Parts | None = None
        self._building = asyncio.Lock()
        self.pages = Entrance(self._build_pages)

    async def parts(self) -> _Parts:
        """Return the parts, built by the first caller."""
        if self._parts is None:
            async with self._building:
                if self._parts is None:
                    self._parts = await self._build()
        return self._parts

    async def close(self) -> None:
        """Commit what waits, then close everything."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.ingest.close()
            await parts.doorbell.close()
            await parts.limiter.close()
            await asyncio.gather(*(session.close() for session in parts.sessions))
            await parts.database.close()
        close_sentry()

    def find_door(self, path: str) -> Door | None:
        """Return the webhook door of a path once it can open: the way past the framework."""
        if self._parts is None:
            return None
        if path.startswith(_CHANNEL_DOORS):
            return self._parts.door.channel_app
        if path == STRIPE_PATH:
            return self._parts.stripe.app
        return self._parts.door.shared_app if path == SHARED_PATH else None

    def find_direct(self, target: bytes) -> DirectDoor | None:
        """Return the number's door behind a target, to be asked before ASGI."""
        if self._parts is None or not target.startswith(_CHANNEL_TARGETS):
            return None
        return self._parts.door.take

    async def channel_door(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the per-number webhook door."""
        parts = self._parts or await self.parts()
        await parts.door.channel_app(scope, receive, send)

    async def shared_door(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the shared webhook door."""
        parts = self._parts or await self.parts()
        await parts.door.shared_app(scope, receive, send)

    async def stripe_door(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the door for Stripe's events."""
        parts = self._parts or await self.parts()
        await parts.stripe.app(scope, receive, send)

    def _build_pages(self) -> Litestar:
        from app.assistant.versions import begin as begin_assistant
        from app.dashboard.services import Services
        from app.dashboard.site import build_site

        built: list[Services] = []

        async def services() -> Services:
            parts = await self.parts()
            if not built:
                made = Services.build(
                    self.settings,
                    parts.database,
                    parts.limiter,
                    parts.waha,
                    session=parts.sessions[0],
                    guarded=parts.sessions[1],
                    doorbell=parts.doorbell,
                    on_create=equip,
                )
                parts.sessions.append(made.assistant)
                built.append(made)
            return built[0]

        async def equip(connection: AsyncConnection, tenant_id: UUID) -> None:
            await open_wallet(connection, tenant_id)
            await begin_first(connection, tenant_id)
            await begin_assistant(connection, tenant_id)

        async def edge_tools() -> EdgeTools:
            parts = await self.parts()
            return parts.limiter, parts.deny_list.holds

        return build_site(self.settings, services, edge_tools)

    async def _build(self) -> _Parts:
        settings = self.settings
        require_servable(settings)
        init_sentry(settings, SERVICE)
        # Loaded here: the pages' calls to WhatsApp are no part of answering a health check.
        from app.channels.waha.client import WahaClient
        from app.core.outbound import outbound_session

        database = Database.from_settings(settings)
        await _open_door(database)
        limiter = build_limiter(settings)
        doorbell = CeleryDoorbell(make_celery(settings))
        ingest = GroupCommit(database, limiter, doorbell, settings.limits)
        directory = ChannelDirectory(database, settings.keyring())
        door = WebhookDoor(settings, directory, limiter, ingest)
        trusted = outbound_session(settings, guarded=False)
        guarded = outbound_session(settings, guarded=True)
        return _Parts(
            database=database,
            limiter=limiter,
            doorbell=doorbell,
            ingest=ingest,
            door=door,
            stripe=StripeDoor(settings, database, doorbell, limiter),
            deny_list=DenyList(database),
            api_keys=ApiKeys(database),
            waha=WahaClient(
                trusted=trusted, guarded=guarded, send_timeout_s=settings.timings.send_timeout_s
            ),
            sessions=[trusted, guarded],
        )


def _doors(api: _Api) -> list[Any]:
    """Mount the webhook doors for the requests that ``_Api.find_door`` leaves to the framework."""
    mount = asgi(CHANNEL_MOUNT, is_mount=True, copy_scope=False)(api.channel_door)
    shared = asgi(SHARED_PATH, copy_scope=False)(api.shared_door)
    stripe = asgi(STRIPE_PATH, copy_scope=False)(api.stripe_door)
    return [mount, shared, stripe]


def _probes(api: _Api) -> Probes:
    settings = api.settings

    async def ask_database() -> None:
        async with (await api.parts()).database.system_statement() as connection:
            await connection.execute(text("select 1"))

    async def ask_redis() -> None:
        client = redis_client(settings.redis_url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    async def ask_queue() -> QueueState:
        found = await figures.read((await api.parts()).database)
        return QueueState(workers=found.workers, lag_s=found.outbox_lag_s)

    async def ask_migrated() -> bool:
        return await is_migrated((await api.parts()).database)

    return Probes(
        database=ask_database,
        migrated=ask_migrated,
        redis=ask_redis,
        queue=ask_queue,
        outside={
            "waha": settings.waha_api_url,
            "llm": settings.openai_base_url,
            "email": settings.resend_api_url if settings.resend_api_key else "",
            "sentry": settings.sentry_dsn,
        },
    )


async def _open_door(database: Database) -> None:
    """Refuse a privileged login; have the time while the door was closed reconciled.

    A database that is away is not a reason not to start: /readyz says so until it is back.
    """
    try:
        await database.check()
        await reconcile.force(database)
    except PrivilegedRoleError:
        raise
    except Exception as error:  # noqa: BLE001
        log.warning("the database is away", extra={"errorType": type(error).__name__})
