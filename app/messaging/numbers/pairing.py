"""Pairing a phone with a number: the QR code as it is now, a code to type, passkeys, a test.

Everything here is asked of WAHA at the moment it is shown: codes last for seconds and are kept
nowhere.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from app.channels.port import Sender
from app.channels.waha.sessions import WahaSessions
from app.core import ids
from app.core.db.engine import Database
from app.core.errors import ConflictError, ProviderError, RefusedError, TooManyAttemptsError
from app.core.outbound import OutboundRefused
from app.messaging.numbers.reading import Access, Number, NumberState
from app.messaging.numbers.service import Numbers
from tenants.devices import Device
from tenants.login_sessions import SignedIn

TEST_EVERY_S = 10.0
_PHONE = re.compile(r"\d{7,15}", re.ASCII)
_SCANNING = frozenset({NumberState.SCAN_QR, NumberState.LOGGED_OUT})

_CLAIM_TEST = text(
    """
    update channels set tested_at = now()
    where tenant_id = :tenant_id and id = :id
      and (tested_at is null or tested_at < now() - make_interval(secs => :every_s))
    """
)
_UNCLAIM_TEST = text(
    "update channels set tested_at = null where tenant_id = :tenant_id and id = :id"
)


@dataclass(frozen=True, slots=True)
class Pairing:
    """A number on its way: what to show now."""

    number: Number
    qr: str | None = None
    passkey_code: str | None = None


class NumberPairing:
    """Codes and tests of numbers, for the pages."""

    def __init__(
        self,
        database: Database,
        numbers: Numbers,
        sessions: WahaSessions,
        sender: Sender,
        access: Access,
    ) -> None:
        self._database = database
        self._numbers = numbers
        self._sessions = sessions
        self._sender = sender
        self._access = access

    async def now(self, person: SignedIn, channel_id: UUID) -> Pairing:
        """Ask WAHA how the number fares, and for the code that its state shows."""
        number = await self._numbers.look(person, channel_id)
        access = self._access.of(number)
        try:
            if number.state in _SCANNING:
                return Pairing(number, qr=await self._sessions.qr(access))
            if number.state is NumberState.PASSKEY_CODE:
                return Pairing(number, passkey_code=await self._sessions.passkey_code(access))
        except (ProviderError, OutboundRefused):
            # The next look, seconds later, tells more.
            return Pairing(number)
        return Pairing(number)

    async def request_code(
        self, person: SignedIn, channel_id: UUID, phone: str, device: Device
    ) -> str:
        """Ask for a code to type on the phone; RefusedError when there is none to have."""
        digits = re.sub(r"[\s+().-]", "", phone)
        if not _PHONE.fullmatch(digits):
            raise RefusedError("Give the phone number with its country code, digits only.")
        number = await self._numbers.audited(person, channel_id, "channel.pairing_code", device)
        try:
            code = await self._sessions.pairing_code(self._access.of(number), digits)
        except (ProviderError, OutboundRefused):
            raise ConflictError(
                "WhatsApp did not answer in time. Look at the state and try again."
            ) from None
        if code is None:
            raise ConflictError("No code can be had now. Show a new QR code first.")
        return code

    async def confirm_passkey(self, person: SignedIn, channel_id: UUID, device: Device) -> None:
        """Tell WhatsApp that the phone showed the same code."""
        number = await self._numbers.audited(person, channel_id, "channel.confirm_passkey", device)
        try:
            await self._sessions.confirm_passkey(self._access.of(number))
        except (ProviderError, OutboundRefused):
            raise ConflictError(
                "WhatsApp did not answer in time. Look at the state and try again."
            ) from None
        await self._numbers.look(person, channel_id)

    async def send_test(
        self, person: SignedIn, channel_id: UUID, words: str, device: Device
    ) -> None:
        """Send a message from the number to its own phone: nobody else is written to.

        Raises:
            ConflictError: the number does not work at the moment.
            TooManyAttemptsError: the last test was a moment ago.
        """
        number = await self._numbers.one(person, channel_id)
        address = number.own_address
        if number.state is not NumberState.WORKING or address is None:
            raise ConflictError("Connect the number first: it cannot send at the moment.")
        number = await self._numbers.audited(person, channel_id, "channel.test", device)
        values = {"tenant_id": number.tenant_id, "id": number.id}
        async with self._database.tenant(number.tenant_id) as connection:
            claimed = await connection.execute(_CLAIM_TEST, {**values, "every_s": TEST_EVERY_S})
            if not claimed.rowcount:
                raise TooManyAttemptsError(
                    "A test was sent a moment ago. Look at the phone.", retry_after_s=TEST_EVERY_S
                )
        access = self._access.of(number)
        client_id = ids.client_message_id(ids.uuid7())
        idempotent = self._sender.honours_client_id(access)
        try:
            await self._sender.send_text(access, address, words, client_id if idempotent else None)
        except (ProviderError, OutboundRefused):
            async with self._database.tenant(number.tenant_id) as connection:
                await connection.execute(_UNCLAIM_TEST, values)
            raise ConflictError(
                "WhatsApp did not answer in time. Look at the state and try again."
            ) from None
