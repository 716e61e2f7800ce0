"""The deny list: networks that an admin shuts out of pages and the API. Webhooks go past it.

Kept as one platform setting, read at most every ten seconds by each process, so that a request
costs a look into memory. While the database is away the last list known stays in force.
"""

import asyncio
import ipaddress
import json
import logging
import time
from dataclasses import dataclass

from sqlalchemy import text

from app.core.config import Network
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.text import storable
from tenants import account_log
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import Actor

log = logging.getLogger(__name__)

SETTING = "deny_list"
ENTRIES_MAX = 1_000
_TTL_S = 10.0
_PREFIX_BITS_MIN = {4: 8, 6: 16}

_READ = text("select value from platform_settings where name = :name")
_WRITE = text(
    """
    insert into platform_settings (name, value) values (:name, cast(:value as jsonb))
    on conflict (name) do update set value = excluded.value, updated_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class Denied:
    """One network that is shut out, and why."""

    network: Network
    note: str


class DenyList:
    """Tells whether an address is shut out; lets admins change the list."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._networks: tuple[Network, ...] = ()
        self._fresh_until = 0.0
        self._reading = asyncio.Lock()

    async def holds(self, address: str) -> bool:
        """Tell whether an address lies in a denied network."""
        if time.monotonic() >= self._fresh_until and not self._reading.locked():
            async with self._reading:
                await self._refresh()
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)

    async def entries(self) -> list[Denied]:
        """Return the list as stored."""
        async with self._database.system_statement() as connection:
            value = await connection.scalar(_READ, {"name": SETTING})
        return [
            Denied(ipaddress.ip_network(e["network"]), e["note"])
            for e in (value or {}).get("entries", [])
        ]

    async def replace(
        self, person: SignedIn, entries: list[Denied], *, reason: str, device: Device
    ) -> None:
        """Store a new list; other processes follow within ten seconds.

        Raises:
            NotFoundError: the person is no admin.
            RefusedError: too many entries, a network wider than /8 (/16 in IPv6), or one that
                holds the admin's own address.
        """
        person.require_admin()
        person.require_recent()
        _check(entries, device.address)
        before = await self.entries()
        async with self._database.system() as connection:
            value = json.dumps({"entries": _shown(entries)})
            await connection.execute(_WRITE, {"name": SETTING, "value": value})
            await account_log.note(
                connection,
                Actor("admin", str(person.user_id), device.address, device.request_id),
                action="deny_list.replace",
                subject=SETTING,
                before={"entries": _shown(before)},
                after={"entries": _shown(entries)},
                reason=reason,
            )
        self._fresh_until = 0.0

    async def _refresh(self) -> None:
        try:
            self._networks = tuple(e.network for e in await self.entries())
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("the deny list cannot be read", extra={"errorType": type(error).__name__})
        self._fresh_until = time.monotonic() + _TTL_S


def parse_network(raw: str) -> Network:
    """Read ``203.0.113.0/24`` or one address; RefusedError when it is neither."""
    try:
        return ipaddress.ip_network(raw.strip(), strict=False)
    except ValueError:
        raise RefusedError("Give an address or a network such as 203.0.113.0/24.") from None


def _check(entries: list[Denied], own_address: str) -> None:
    if len(entries) > ENTRIES_MAX:
        raise RefusedError("The deny list holds at most %(most)s networks.", most=ENTRIES_MAX)
    for entry in entries:
        if entry.network.prefixlen < _PREFIX_BITS_MIN[entry.network.version]:
            raise RefusedError(
                "%(network)s is too wide; deny smaller networks.", network=entry.network
            )
        try:
            if ipaddress.ip_address(own_address) in entry.network:
                raise RefusedError("%(network)s holds your own address.", network=entry.network)
        except ValueError:
            continue


def _shown(entries: list[Denied]) -> list[dict[str, str]]:
    return [{"network": str(e.network), "note": e.note} for e in entries]


def entry(raw: str, note: str) -> Denied:
    """Return an entry from what an admin typed."""
    return Denied(parse_network(raw), " ".join(storable(note).split())[:200])
