"""The one place where the API is put together: pools, doors, probes, routes."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from litestar import Litestar, Router, asgi
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from sqlalchemy import text

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.db.revision import is_migrated
from app.core.errors import ParleyError, PrivilegedRoleError
from app.core.faults import install_from_environment
from app.core.limits.limiter import build_limiter
from app.core.logging import configure
from app.core.observability.sentry import close_sentry, init_sentry
from app.core.redis import redis_client
from app.http.health import Health, Probes, QueueState, health_routes
from app.http.metrics import metrics_routes
from app.http.problems import on_http_error, on_parley_error, on_unexpected
from app.http.requests import request_context
from app.messaging import figures, reconcile
from app.messaging.ingest.group_commit import GroupCommit
from app.messaging.ingest.routes import CHANNEL_MOUNT, SHARED_PATH, WebhookDoor
from app.queue import CeleryDoorbell, make_celery
from tenants.channels import ChannelDirectory

log = logging.getLogger(__name__)

SERVICE = "api"


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the API. ConfigurationError names every setting that cannot be used."""
    settings = settings or Settings.from_environ()
    configure(SERVICE, settings.log_level)
    install_from_environment()
    init_sentry(settings, SERVICE)
    database = Database.from_settings(settings)
    limiter = build_limiter(settings)
    celery = make_celery(settings)
    doorbell = CeleryDoorbell(celery)
    ingest = GroupCommit(database, limiter, doorbell, settings.limits)
    door = WebhookDoor(settings, ChannelDirectory(database, settings.keyring()), limiter, ingest)
    health = Health(
        _probes(settings, database), service=settings.service_name, version=version("parley")
    )

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await _open_door(database)
        yield
        await ingest.close()
        await doorbell.close()
        await limiter.close()
        await database.close()
        close_sentry()

    async def figures_now() -> figures.Figures:
        return await figures.read(database)

    framework = Router(
        path="/",
        route_handlers=[*health_routes(health), *metrics_routes(settings, figures_now)],
        middleware=[request_context(settings.trusted_proxies)],
    )
    return Litestar(
        route_handlers=[*_doors(door), framework],
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(title="Parley", version=version("parley"), path=None),
        exception_handlers={
            HTTPException: on_http_error,
            ParleyError: on_parley_error,
            Exception: on_unexpected,
        },
        logging_config=None,
        debug=False,
    )


def _doors(door: WebhookDoor) -> list[Any]:
    """Mount the webhook doors as plain ASGI, in front of everything the framework does."""
    mount = asgi(CHANNEL_MOUNT, is_mount=True, copy_scope=False)(door.channel_app)
    shared = asgi(SHARED_PATH, copy_scope=False)(door.shared_app)
    return [mount, shared]


def _probes(settings: Settings, database: Database) -> Probes:
    async def ask_database() -> None:
        async with database.system_statement() as connection:
            await connection.execute(text("select 1"))

    async def ask_redis() -> None:
        client = redis_client(settings.redis_url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    async def ask_queue() -> QueueState:
        found = await figures.read(database)
        return QueueState(workers=found.workers, lag_s=found.outbox_lag_s)

    async def ask_migrated() -> bool:
        return await is_migrated(database)

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
