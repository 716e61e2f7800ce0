"""Checks of the stores: database logins, schema, pgvector, prices, clock, Redis, limiter, files."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.cli.checks.result import Finding
from app.core import ids
from app.core.config import Settings
from app.core.errors import ConfigurationError

TIMEOUT_S = 5.0
SKEW_MAX_S = 2.0
ALIVE_S = 20.0
BEATING = ("worker", "scheduler")
LOGINS = {"DATABASE_URL": "parley_app", "DATABASE_SYSTEM_URL": "parley_system"}


async def store_findings(settings: Settings) -> list[Finding]:
    """Everything about PostgreSQL, Redis and files that a start-up would stumble over."""
    findings = [
        *await _database("DATABASE_URL", settings.database_url),
        *await _database("DATABASE_SYSTEM_URL", settings.database_system_url),
        await _redis(settings.redis_url),
        await _limiter(settings),
        await _media(settings),
    ]
    return [finding for finding in findings if finding is not None]


async def _database(variable: str, url: str) -> list[Finding]:
    """Reachability and privilege of one login; schema and clock with the system login."""
    import asyncpg

    name = f"database ({LOGINS[variable]})"
    if not url:
        return [Finding(name, "skipped", f"{variable} is missing")]
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return [Finding(name, "wrong", "login refused", f"check the password in {variable}")]
    except asyncpg.InvalidCatalogNameError:
        return [Finding(name, "wrong", "no such database", f"check {variable}, then bootstrap it")]
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return [_unreachable(name, error, f"start PostgreSQL, check {variable}")]
    try:
        findings = [await _privilege(name, connection)]
        if variable == "DATABASE_SYSTEM_URL":
            findings += [await _schema(connection), await _vectors(connection)]
            findings += [await _prices(connection), await _processes(connection)]
            findings.append(await _clock(connection))
        return findings
    finally:
        await connection.close()


async def _privilege(name: str, connection: Any) -> Finding:
    row = await connection.fetchrow(
        "select rolname, rolsuper or rolbypassrls or exists (select 1 from pg_class c"
        " where c.relkind in ('r', 'p') and c.relowner = r.oid) as privileged"
        " from pg_roles r where rolname = current_user"
    )
    if row["privileged"]:
        return Finding(
            name,
            "wrong",
            f"{row['rolname']} is a superuser, owns tables or bypasses row level security",
            "use the logins parley_app and parley_system; servers refuse any other",
        )
    return Finding(name, "ok", f"reachable as {row['rolname']}, without privileges")


async def _schema(connection: Any) -> Finding:
    import asyncpg

    from migrations.runner import head, is_newer

    wanted = head()
    try:
        found = await connection.fetchval("select version_num from alembic_version")
    except asyncpg.UndefinedTableError:
        found = None
    except asyncpg.InsufficientPrivilegeError:
        return Finding("schema", "skipped", "this login may not read the revision")
    if found == wanted:
        return Finding("schema", "ok", f"at {found}")
    if found and is_newer(found):
        # As /readyz sees it: a running version lives with the next one's schema.
        return Finding("schema", "ok", f"at {found}, newer than this code ({wanted})")
    return Finding(
        "schema", "wrong", f"at {found or 'nothing'}, this code needs {wanted}", "parley migrate up"
    )


async def _vectors(connection: Any) -> Finding:
    found = await connection.fetchval("select extversion from pg_extension where extname='vector'")
    if found is None:
        return Finding("pgvector", "wrong", "not installed", "run deploy/bootstrap.sql")
    return Finding("pgvector", "ok", found)


async def _prices(connection: Any) -> Finding:
    """Without a price list in force nothing can be held, so nothing is answered."""
    import asyncpg

    try:
        found = await connection.fetchval(
            "select id from price_versions"
            " where valid_from <= now() and coalesce(valid_until, 'infinity') > now()"
        )
    except asyncpg.PostgresError:
        return Finding("price list", "skipped", "needs the schema")
    if found is None:
        return Finding("price list", "wrong", "none is in force", "parley credits price schedule")
    return Finding("price list", "ok", f"version {found}")


async def _processes(connection: Any) -> Finding:
    """Who is alive by the rows that they write every five seconds."""
    import asyncpg

    try:
        rows = await connection.fetch(
            "select service, count(*) as alive from process_heartbeats"
            " where beat_at > now() - make_interval(secs => $1) group by service order by service",
            ALIVE_S,
        )
    except asyncpg.PostgresError:
        return Finding("processes", "skipped", "needs the schema")
    alive = {row["service"]: row["alive"] for row in rows}
    told = ", ".join(f"{service} × {count}" for service, count in alive.items()) or "none"
    missing = [service for service in BEATING if service not in alive]
    if missing:
        remedy = f"start parley {' and parley '.join(missing)}"
        return Finding("processes", "skipped", f"alive: {told}", remedy)
    return Finding("processes", "ok", f"alive: {told}")


async def _clock(connection: Any) -> Finding:
    """The database's clock decides what is due; ours stamps signatures and ids."""
    started_s = time.monotonic()
    theirs: datetime = await connection.fetchval("select clock_timestamp()")
    travel_s = (time.monotonic() - started_s) / 2
    skew_s = (datetime.now(UTC) - theirs).total_seconds() - travel_s
    detail = f"{skew_s * 1000:+.0f} ms against the database"
    if abs(skew_s) <= SKEW_MAX_S:
        return Finding("clock", "ok", detail)
    return Finding("clock", "wrong", detail, "synchronise both machines (NTP)")


async def _redis(url: str) -> Finding:
    from redis.exceptions import AuthenticationError, RedisError

    from app.core.redis import redis_client

    if not url:
        return Finding("redis", "skipped", "REDIS_URL is missing")
    client = redis_client(url)
    try:
        info = await client.info()
    except AuthenticationError:
        return Finding("redis", "wrong", "login refused", "check the password in REDIS_URL")
    except (OSError, TimeoutError, RedisError) as error:
        return _unreachable("redis", error, "start Redis, check REDIS_URL")
    finally:
        await client.aclose()
    policy = info.get("maxmemory_policy", "noeviction")
    detail = f"{info.get('redis_version')}, {policy}"
    if policy != "noeviction":
        return Finding("redis", "wrong", detail, "set maxmemory-policy noeviction: it is a broker")
    return Finding("redis", "ok", detail)


async def _limiter(settings: Settings) -> Finding:
    """Run the limiter's own script once, asking without taking."""
    from app.core.limits.policies import TURN
    from app.core.limits.script import arguments
    from app.core.limits.transports import RedisTransport, Transport, UpstashTransport
    from app.core.limits.types import Check, LimitStoreAuthError, LimitStoreError

    transport: Transport
    if settings.upstash_redis_rest_url:
        kind = "Upstash REST"
        transport = UpstashTransport(
            settings.upstash_redis_rest_url, settings.upstash_redis_rest_token
        )
    elif settings.redis_url:
        kind, transport = "Redis", RedisTransport(settings.redis_url)
    else:
        return Finding("limiter", "skipped", "neither Upstash nor REDIS_URL is given")
    try:
        await transport.run(arguments([[Check(TURN, "doctor", 0)]]))
    except LimitStoreAuthError:
        return Finding("limiter", "wrong", f"{kind} refused the login", "check token or password")
    except LimitStoreError as error:
        return _unreachable("limiter", error, f"{kind} must answer within 250 ms")
    finally:
        await transport.close()
    return Finding("limiter", "ok", f"over {kind}")


async def _media(settings: Settings) -> Finding:
    """Whether customers' files can be written, read and deleted."""
    if not settings.media_url:
        return Finding("media", "skipped", "MEDIA_URL is missing")
    from app.core.media.opening import open_store

    tenant, probe = UUID(int=0), ids.uuid7()
    try:
        store = open_store(settings)
        async with asyncio.timeout(TIMEOUT_S):
            await store.put(tenant, probe, b"probe")
            same = await store.read(tenant, probe) == b"probe"
            await store.delete(tenant, probe)
    except ConfigurationError as error:
        return Finding("media", "wrong", error.problems[0], "see deploy/parley.env.example")
    except (OSError, TimeoutError) as error:
        return _unreachable("media", error, "check MEDIA_URL, and who may write there")
    return Finding("media", "ok" if same else "wrong", "files can be written and read")


def _unreachable(name: str, error: BaseException, remedy: str) -> Finding:
    return Finding(name, "unreachable", f"no answer ({type(error).__name__})", remedy)
