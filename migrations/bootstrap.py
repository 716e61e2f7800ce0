"""Make the roles, the database and its extensions: what a superuser does once, before Alembic.

Roles belong to the whole cluster, so several processes that bootstrap databases of one cluster
take turns by an advisory lock in database `postgres`. Everything may be run again at any time.

```
parley_owner   LOGIN    owns the database; migrations only (DATABASE_ADMIN_URL)
parley_app     LOGIN    one tenant at a time (DATABASE_URL)
parley_system  LOGIN    ingest, scheduler, sign-in, admin (DATABASE_SYSTEM_URL)
parley_ledger  NOLOGIN  owns the ledger's functions; the owner may `set role` to it, no more
```
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

MAINTENANCE_DATABASE = "postgres"
LOCK_KEY = 0x7061726C6579  # "parley"
CONNECT_TIMEOUT_S = 10
TEMPLATE_WAIT_S = 10.0
LOGINS = ("parley_owner", "parley_app", "parley_system")
LEDGER = "parley_ledger"
REQUIRED_EXTENSION = "vector"
# Not in every PostgreSQL build; what needs it must also work without it.
OPTIONAL_EXTENSIONS = ("pg_trgm",)
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class RolePasswords:
    """Passwords of the three logins; one set for the whole cluster."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    system: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """`postgresql://user:password@host:port/database` for each login."""

    app: str = field(repr=False)
    system: str = field(repr=False)
    admin: str = field(repr=False)


async def bootstrap(
    superuser_url: str, *, database: str = "parley", passwords: RolePasswords
) -> DatabaseUrls:
    """Create or repair roles, database and extensions; return the three logins' URLs.

    Raises `ValueError` for a database name that is not plain lower case, `OSError` when the server
    is not reachable, and asyncpg's errors when the login is not a superuser or pgvector is absent.
    """
    _check_name(database)
    async with _exclusive(superuser_url) as connection:
        await _create_roles(connection, passwords)
        if not await _exists(connection, database):
            await connection.execute(f'create database "{database}" owner parley_owner')
        await _secure_database(connection, database)
        # Inside the lock: two processes may bootstrap the same database.
        await _create_extensions(_with_database(superuser_url, database))
    return urls_for(superuser_url, database=database, passwords=passwords)


async def clone_database(superuser_url: str, template: str, name: str) -> None:
    """Copy database `template` to a new database `name` with the same privileges.

    Waits up to 10 s for others to leave the template. Raises
    `asyncpg.DuplicateDatabaseError` when `name` exists.
    """
    _check_name(template)
    _check_name(name)
    deadline = time.monotonic() + TEMPLATE_WAIT_S
    async with _exclusive(superuser_url) as connection:
        while True:
            try:
                # Copying files beats writing every page to the log by eight to one here.
                await connection.execute(
                    f'create database "{name}" template "{template}" owner parley_owner'
                    " strategy file_copy"
                )
                break
            except asyncpg.ObjectInUseError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
        # Privileges on the database itself are not copied with a template.
        await _secure_database(connection, name)


async def drop_database(superuser_url: str, name: str) -> None:
    """Drop a database and end its connections; without effect when there is none."""
    _check_name(name)
    async with _exclusive(superuser_url) as connection:
        await connection.execute(f'drop database if exists "{name}" with (force)')


def urls_for(superuser_url: str, *, database: str, passwords: RolePasswords) -> DatabaseUrls:
    """The three logins' URLs for a database of the superuser's server."""

    def url(user: str, password: str) -> str:
        return _with_database(superuser_url, database, user=user, password=password)

    return DatabaseUrls(
        app=url("parley_app", passwords.app),
        system=url("parley_system", passwords.system),
        admin=url("parley_owner", passwords.owner),
    )


@asynccontextmanager
async def _exclusive(superuser_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to database `postgres` that holds the cluster's bootstrap lock.

    Closing the connection releases the lock, also after an error.
    """
    connection = await asyncpg.connect(
        _with_database(superuser_url, MAINTENANCE_DATABASE), timeout=CONNECT_TIMEOUT_S
    )
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK_KEY)
        yield connection
    finally:
        await connection.close()


async def _create_roles(connection: asyncpg.Connection, passwords: RolePasswords) -> None:
    """Make the four roles, or bring their attributes back to what they must be."""
    existing = {row["rolname"] for row in await connection.fetch("select rolname from pg_roles")}
    plain = "nosuperuser nobypassrls nocreatedb nocreaterole noreplication"
    secrets = (passwords.owner, passwords.app, passwords.system)
    async with connection.transaction():
        for role, password in zip(LOGINS, secrets, strict=True):
            verb = "alter" if role in existing else "create"
            # Utility statements take no parameters; the server quotes the literal itself.
            literal = await connection.fetchval("select quote_literal($1::text)", password)
            await connection.execute(f"{verb} role {role} login {plain} password {literal}")
        verb = "alter" if LEDGER in existing else "create"
        await connection.execute(f"{verb} role {LEDGER} nologin {plain}")
        await _revoke_memberships(connection)
        await connection.execute(f"grant {LEDGER} to parley_owner with inherit false, set true")


async def _revoke_memberships(connection: asyncpg.Connection) -> None:
    """No login may become another one, and none but the owner the ledger's role."""
    rows = await connection.fetch(
        "select granted.rolname as role, member.rolname as member"
        " from pg_auth_members m join pg_roles granted on granted.oid = m.roleid"
        " join pg_roles member on member.oid = m.member"
        " where member.rolname = any($1) and not (granted.rolname = $2 and member.rolname = $3)",
        [*LOGINS, LEDGER],
        LEDGER,
        LOGINS[0],
    )
    for row in rows:
        role = await connection.fetchval("select quote_ident($1)", row["role"])
        await connection.execute(f"revoke {role} from {row['member']}")


async def _secure_database(connection: asyncpg.Connection, database: str) -> None:
    """Owner, and who may connect: the servers' two logins and nobody else."""
    await connection.execute(f'alter database "{database}" owner to parley_owner')
    await connection.execute(f'revoke all on database "{database}" from public')
    await connection.execute(f'grant connect on database "{database}" to parley_app, parley_system')


async def _create_extensions(superuser_url: str) -> None:
    """As the superuser: pgvector is not a trusted extension, so the owner could not."""
    connection = await asyncpg.connect(superuser_url, timeout=CONNECT_TIMEOUT_S)
    try:
        available = await connection.fetch(
            "select name from pg_available_extensions where name = any($1)", OPTIONAL_EXTENSIONS
        )
        for name in (REQUIRED_EXTENSION, *(row["name"] for row in available)):
            await connection.execute(f"create extension if not exists {name} schema public")
    finally:
        await connection.close()


async def _exists(connection: asyncpg.Connection, database: str) -> bool:
    found = await connection.fetchval("select 1 from pg_database where datname = $1", database)
    return found is not None


def _check_name(name: str) -> None:
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"not a plain database name: {name!r}")


def _with_database(
    url: str, database: str, *, user: str | None = None, password: str | None = None
) -> str:
    """The URL of another database, and optionally another login, of the same server."""
    parts = urlsplit(url)
    login = quote(user if user is not None else unquote(parts.username or ""), safe="")
    secret = quote(password if password is not None else unquote(parts.password or ""), safe="")
    host = parts.hostname or "localhost"
    address = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    authority = f"{login}:{secret}@{address}{port}" if secret else f"{login}@{address}{port}"
    return urlunsplit((parts.scheme, authority, f"/{database}", parts.query, ""))
