"""A number as pages and the keeper see it: read with its secrets sealed, its state in one word."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import ChannelAccess
from app.channels.waha.session_config import session_config
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.errors import NotFoundError
from app.messaging.numbers.statuses import REMOVED
from tenants.channels import api_key_ref, webhook_secret_ref

COLUMNS = """
    c.tenant_id, c.id, c.key, c.name, c.session, c.webhook_secret, c.api_url, c.api_key,
    c.own_address, c.own_name, c.engine, c.engine_version, c.status, c.status_at, c.last_event_at,
    c.managed, c.wanted, c.seen_at, c.connected_at, c.down_since, c.problem, c.problem_at,
    c.repairs, c.tested_at, c.created_at
"""
_LIST = text(
    f"""
    select {COLUMNS} from channels c
    where c.tenant_id = :tenant_id and c.kind = 'waha' and c.wanted <> 'removed'
    order by c.created_at, c.id limit :rows_max
    """  # noqa: S608 - a list of columns of ours
)
_READ = text(
    f"""
    select {COLUMNS} from channels c
    where c.tenant_id = :tenant_id and c.id = :id and c.kind = 'waha' and c.wanted <> 'removed'
    """  # noqa: S608
)
ROWS_MAX = 100


class NumberState(StrEnum):
    """How a number fares, in the words of its life-cycle."""

    NOT_CONNECTED = "not_connected"
    STARTING = "starting"
    SCAN_QR = "scan_qr"
    PASSKEY = "passkey"
    PASSKEY_CODE = "passkey_code"
    WORKING = "working"
    EXPIRED = "expired"
    LOGGED_OUT = "logged_out"
    FAILED = "failed"
    STOPPED = "stopped"
    PAUSED = "paused"
    TROUBLE = "trouble"
    OTHER = "other"


_BY_STATUS = {
    "unknown": NumberState.NOT_CONNECTED,
    REMOVED: NumberState.NOT_CONNECTED,
    "STARTING": NumberState.STARTING,
    "SCAN_QR_CODE": NumberState.SCAN_QR,
    "PASSKEY_REQUIRED": NumberState.PASSKEY,
    "PASSKEY_CONFIRMATION_REQUIRED": NumberState.PASSKEY_CODE,
    "WORKING": NumberState.WORKING,
    "FAILED": NumberState.FAILED,
    "STOPPED": NumberState.STOPPED,
}


def state_of(status: str) -> NumberState:
    """Return what WAHA's word for a session means; OTHER for one that we do not know."""
    return _BY_STATUS.get(status, NumberState.OTHER)


PAIRING = frozenset(
    {
        NumberState.NOT_CONNECTED,
        NumberState.STARTING,
        NumberState.SCAN_QR,
        NumberState.PASSKEY,
        NumberState.PASSKEY_CODE,
    }
)
"""The states on the way to a connection, during which a page looks again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A WhatsApp number of a business; see ``tenants.models.Channel``."""

    tenant_id: UUID
    id: UUID
    key: str = field(repr=False)
    name: str
    session: str
    webhook_secret: bytes = field(repr=False)
    api_url: str | None
    api_key: bytes | None = field(repr=False)
    own_address: str | None
    own_name: str | None
    engine: str | None
    engine_version: str | None
    status: str
    status_at: datetime | None
    last_event_at: datetime | None
    managed: bool
    wanted: str
    seen_at: datetime | None
    connected_at: datetime | None
    down_since: datetime | None
    problem: str | None
    problem_at: datetime | None
    repairs: int
    tested_at: datetime | None
    created_at: datetime

    @property
    def state(self) -> NumberState:
        """How it fares, in one word."""
        if self.wanted == "off":
            return NumberState.PAUSED
        if self.problem is not None:
            return NumberState.TROUBLE
        if self.status == "FAILED":
            return NumberState.FAILED if self.connected_at else NumberState.EXPIRED
        if self.status == "SCAN_QR_CODE" and self.connected_at:
            return NumberState.LOGGED_OUT
        return state_of(self.status)

    @property
    def since(self) -> datetime | None:
        """Since when it fares so."""
        return self.problem_at if self.problem else self.status_at

    @property
    def phone(self) -> str | None:
        """Its digits with country code, once a phone was paired."""
        return self.own_address.partition("@")[0] if self.own_address else None

    @property
    def own_server(self) -> bool:
        """True behind the business's own WAHA."""
        return self.api_url is not None


def from_row(row: Any) -> Number:
    """Return the number of a row of ``COLUMNS``."""
    return Number(**{name: row[name] for name in Number.__dataclass_fields__})


async def numbers_of(connection: AsyncConnection, tenant_id: UUID) -> list[Number]:
    """Return a business's numbers, the oldest first."""
    found = await connection.execute(_LIST, {"tenant_id": tenant_id, "rows_max": ROWS_MAX})
    return [from_row(row) for row in found.mappings()]


async def number_of(connection: AsyncConnection, tenant_id: UUID, channel_id: UUID) -> Number:
    """Return one number; NotFoundError when the business has none of this id."""
    found = await connection.execute(_READ, {"tenant_id": tenant_id, "id": channel_id})
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such number.")
    return from_row(row)


class Access:
    """Opens a number's secrets: how to reach its WAHA, and how its session is to be set up."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring

    def of(self, number: Number) -> ChannelAccess:
        """Return how to reach a number's WAHA. Holds the key in clear: never log this."""
        key = self._settings.waha_api_key
        if number.own_server:
            sealed = number.api_key
            ref = api_key_ref(number.id)
            key = self._keyring.decrypt(bytes(sealed), ref) if sealed else ""
        return ChannelAccess(
            channel_id=number.id,
            api_url=number.api_url or self._settings.waha_api_url,
            api_key=key,
            session=number.session,
            guarded=number.own_server,
            engine=number.engine,
            engine_version=number.engine_version,
        )

    def config(self, number: Number) -> dict[str, Any]:
        """Return the configuration that the number's session is to have."""
        secret = self._keyring.decrypt(bytes(number.webhook_secret), webhook_secret_ref(number.id))
        url = f"{self._settings.app_url.rstrip('/')}/webhooks/waha/{number.key}"
        return session_config(url, secret, str(number.id))
