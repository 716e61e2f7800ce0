"""Numbers on behalf of people: connected, looked at, paused, logged out, removed; each audited.

A change is committed first and then brought to WAHA by ``tending``; when that fails, or this
process dies in between, the keeper brings it there later.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from app.channels.port import ChannelAccess
from app.channels.waha.sessions import WahaSessions
from app.core import ids
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.engine import Database
from app.core.errors import ProviderError, RefusedError, Word
from app.core.outbound import OutboundRefused, outbound_guard
from app.messaging.numbers.keeping import keep
from app.messaging.numbers.reading import Access, Number, number_of, numbers_of
from app.messaging.numbers.tending import Tended, Tending, problem_of
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import NewChannel, create_channel

NUMBERS_MAX = 20
NAME_CHARS_MAX = 60
URL_CHARS_MAX = 300
KEY_CHARS_MAX = 300
CONSENT_VERSION = "2026-11"

_COUNT = text(
    """
    select count(*) from channels
    where tenant_id = :tenant_id and kind = 'waha' and wanted <> 'removed'
    """
)
_CONSENT = text(
    """
    insert into consents (tenant_id, id, user_id, kind, version, address)
    values (:tenant_id, :id, :user_id, 'whatsapp_number', :version, :address)
    """
)
_WISH = text(
    """
    update channels set wanted = :wanted, enabled = cast(:wanted as text) <> 'removed', repairs = 0,
        managed = true, status = case status when 'REMOVED' then 'unknown' else status end,
        check_due_at = now() + interval '45 seconds',
        down_since = case when cast(:wanted as text) = 'on' then down_since end
    where tenant_id = :tenant_id and id = :id
    """
)
_RENAME = text("update channels set name = :name where tenant_id = :tenant_id and id = :id")
_NOT_WAHA = Word("Something answers at this address, but it is not WAHA.")
_SERVER_ERRORS = {
    "unreachable": Word(
        "No answer came from this address. Is WAHA running there, and reachable from outside?"
    ),
    "unauthorized": Word(
        "WAHA refuses this key. Give the value of WAHA_API_KEY, or a key made for Parley."
    ),
    "not_waha": _NOT_WAHA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumber:
    """The form of a new number. ``api_url`` empty: the platform's WAHA."""

    name: str
    api_url: str = ""
    api_key: str = field(default="", repr=False)
    agreed: bool = False


class Numbers:
    """What the pages do with numbers."""

    def __init__(
        self, database: Database, sessions: WahaSessions, settings: Settings, keyring: Keyring
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._settings = settings
        self._keyring = keyring
        self._tending = Tending(sessions, Access(settings, keyring))

    @property
    def has_platform_server(self) -> bool:
        """Whether a number can be connected without a WAHA of one's own."""
        return bool(self._settings.waha_api_url)

    async def all_of(self, person: SignedIn) -> list[Number]:
        """Return the business's numbers."""
        tenant_id = person.business(Permission.READ_REPORTS)
        async with self._database.tenant(tenant_id) as connection:
            return await numbers_of(connection, tenant_id)

    async def one(self, person: SignedIn, channel_id: UUID) -> Number:
        """Return one number; NotFoundError for what is not the business's."""
        tenant_id = person.business(Permission.READ_REPORTS)
        async with self._database.tenant(tenant_id) as connection:
            return await number_of(connection, tenant_id, channel_id)

    async def check_server(self, person: SignedIn, api_url: str, api_key: str) -> str:
        """Try the business's own WAHA; return its version.

        Raises:
            RefusedError: the address may not be used, or what is wrong there.
        """
        person.business(Permission.EDIT_CHANNELS)
        return await self._check_server(self._server_url(api_url), api_key)

    async def connect(self, person: SignedIn, form: NewNumber, device: Device) -> UUID:
        """Add a number and begin to connect it; WAHA being away does not undo that.

        Raises:
            RefusedError: the form cannot be accepted; says what to change.
        """
        tenant_id = person.business(Permission.EDIT_CHANNELS)
        name = _name(form.name)
        if not form.agreed:
            raise RefusedError("Please confirm that you may connect this number.")
        own_url = self._server_url(form.api_url) if form.api_url else None
        if own_url is not None:
            await self._check_server(own_url, form.api_key)
        elif not self.has_platform_server:
            raise RefusedError("Give the address of your WAHA server: we offer none here.")
        channel_id = ids.uuid7()
        new = NewChannel(
            tenant_id=tenant_id,
            name=name,
            session=f"parley-{channel_id.hex}",
            webhook_secret=ids.secret_token(),
            api_url=own_url,
            api_key=form.api_key or None if own_url else None,
            managed=True,
            id=channel_id,
        )
        async with self._database.tenant(tenant_id) as connection:
            if int(await connection.scalar(_COUNT, {"tenant_id": tenant_id}) or 0) >= NUMBERS_MAX:
                raise RefusedError("A business has at most 20 numbers.")
            await create_channel(connection, self._keyring, new, actor_of(person, device))
            await self._record_consent(connection, tenant_id, person, device)
            number = await number_of(connection, tenant_id, channel_id)
        await self._bring(number)
        return channel_id

    async def reconnect(self, person: SignedIn, channel_id: UUID, device: Device) -> Number:
        """Bring a number back: start what is stopped, make what is missing, ask for a new code."""
        number = await self._wish(person, channel_id, "on", "channel.reconnect", device)
        if number.status == "FAILED" and not number.problem:
            number = await self._act(number, self._sessions.restart)
        return number

    async def pause(self, person: SignedIn, channel_id: UUID, device: Device) -> None:
        """Stop the session; the phone stays paired."""
        await self._wish(person, channel_id, "off", "channel.pause", device)

    async def log_out(self, person: SignedIn, channel_id: UUID, device: Device) -> None:
        """Unpair the phone; a new one can be paired."""
        number = await self.audited(person, channel_id, "channel.log_out", device)
        await self._act(number, self._sessions.logout)

    async def remove(self, person: SignedIn, channel_id: UUID, device: Device) -> None:
        """Take the number away: its door closes at once, its session ends. What was said stays."""
        await self._wish(person, channel_id, "removed", "channel.remove", device)

    async def rename(self, person: SignedIn, channel_id: UUID, name: str, device: Device) -> None:
        """Give a number another name."""
        number = await self.audited(
            person, channel_id, "channel.rename", device, after={"name": _name(name)}
        )
        async with self._database.tenant(number.tenant_id) as connection:
            values = {"tenant_id": number.tenant_id, "id": channel_id, "name": _name(name)}
            await connection.execute(_RENAME, values)

    async def look(self, person: SignedIn, channel_id: UUID) -> Number:
        """Ask WAHA how a number fares, keep that, and return it."""
        number = await self.one(person, channel_id)
        return await self._keep(number, await self._tending.look(number))

    async def _wish(
        self, person: SignedIn, channel_id: UUID, wanted: str, action: str, device: Device
    ) -> Number:
        number = await self.audited(person, channel_id, action, device, wanted=wanted)
        return await self._bring(number)

    async def audited(
        self,
        person: SignedIn,
        channel_id: UUID,
        action: str,
        device: Device,
        *,
        wanted: str = "",
        after: dict[str, str] | None = None,
    ) -> Number:
        """Return a number that somebody does something with, on record; see ``_wish``."""
        tenant_id = person.business(Permission.EDIT_CHANNELS)
        async with self._database.tenant(tenant_id) as connection:
            number = await number_of(connection, tenant_id, channel_id)
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action=action,
                subject=str(channel_id),
                before={"name": number.name},
                after=after,
            )
            if not wanted:
                return number
            values = {"tenant_id": tenant_id, "id": channel_id, "wanted": wanted}
            await connection.execute(_WISH, values)
            if wanted == "removed":
                return replace(number, wanted=wanted)
            return await number_of(connection, tenant_id, channel_id)

    async def _bring(self, number: Number) -> Number:
        return await self._keep(number, await self._tending.settle(number))

    async def _act(
        self, number: Number, call: Callable[[ChannelAccess], Awaitable[None]]
    ) -> Number:
        """Do one thing at WAHA and look at what came of it."""
        try:
            await call(Access(self._settings, self._keyring).of(number))
        except (ProviderError, OutboundRefused) as error:
            return await self._keep(number, Tended(problem=problem_of(error)))
        return await self._keep(number, await self._tending.look(number))

    async def _keep(self, number: Number, tended: Tended) -> Number:
        async with self._database.tenant(number.tenant_id) as connection:
            await keep(connection, number, tended)
            if number.wanted == "removed":
                return number
            return await number_of(connection, number.tenant_id, number.id)

    async def _check_server(self, api_url: str, api_key: str) -> str:
        if len(api_key) > KEY_CHARS_MAX or not api_key.isprintable():
            refused = _SERVER_ERRORS["unauthorized"]  # what no header carries is no key
            raise RefusedError(refused)
        access = ChannelAccess(
            channel_id=UUID(int=0),
            api_url=api_url,
            api_key=api_key,
            session="",
            guarded=True,
            engine=None,
            engine_version=None,
        )
        try:
            version, _ = await self._sessions.version(access)
        except (ProviderError, OutboundRefused) as error:
            raise RefusedError(_SERVER_ERRORS[problem_of(error)]) from None
        if version is None:
            raise RefusedError(_NOT_WAHA)
        return version

    def _server_url(self, raw: str) -> str:
        """Return the address of a WAHA server; RefusedError for what we do not call."""
        try:
            url = URL(raw.strip()[:URL_CHARS_MAX])
            outbound_guard(self._settings).verify_url(url)
        except (ValueError, OutboundRefused):
            raise RefusedError(
                "The server's address is a public one that begins with https:// (port 443) or"
                " http:// (port 80)."
            ) from None
        if url.user or url.password or url.query_string or url.fragment:
            raise RefusedError("The server's address has no user, question mark or # in it.")
        return str(url).rstrip("/")

    async def _record_consent(
        self, connection: AsyncConnection, tenant_id: UUID, person: SignedIn, device: Device
    ) -> None:
        await connection.execute(
            _CONSENT,
            {
                "tenant_id": tenant_id,
                "id": ids.uuid7(),
                "user_id": person.user_id,
                "version": CONSENT_VERSION,
                "address": device.address,
            },
        )


def _name(raw: str) -> str:
    name = " ".join(raw.split())
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise RefusedError("Give the number a name of at most 60 characters.")
    return name
