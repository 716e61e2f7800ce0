"""One-time codes over the business's own WhatsApp number: six digits, five tries, ten minutes.

They prove that somebody has a phone: an owner's, or a customer's before the assistant tells
something personal. Number and code are stored as keyed hashes. The message is sent straight
through the channel's ``Sender``; no turn is made and nothing is charged.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import ChannelAccess, Sender
from app.core import ids
from app.core.config import Settings
from app.core.crypto import keyed_hash
from app.core.db.engine import Database
from app.core.errors import NotFoundError, RefusedError, Word
from app.core.limits.types import Limiter
from tenants import service
from tenants.channels import api_key_ref
from tenants.service import Actor
from tenants.throttles import Throttles

TRIES_MAX = 5
LIFETIME_S = 600
_DIGITS = 6
_PHONE_FORM = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_WRONG = Word("The code is wrong or too old. Ask for a new one if it does not work again.")

# A new code of the same purpose ends the old one: there is one valid code a phone.
_RETIRE = text(
    """
    update phone_codes set used_at = now()
    where tenant_id = :tenant_id and purpose = :purpose and phone_hash = :phone_hash
      and used_at is null
    """
)
_INSERT = text(
    """
    insert into phone_codes (tenant_id, id, channel_id, wa_id, purpose, phone_hash, code_hash,
                             expires_at)
    values (:tenant_id, :id, :channel_id, :wa_id, :purpose, :phone_hash, :code_hash,
            now() + make_interval(secs => :lifetime_s))
    """
)
# The try is counted before the code is compared, and committed whatever the comparison says.
_TRY = text(
    """
    update phone_codes set attempts = attempts + 1
    where tenant_id = :tenant_id and purpose = :purpose and phone_hash = :phone_hash
      and used_at is null and expires_at > now() and attempts < :tries_max
    returning id, code_hash
    """
)
_USE = text(
    """
    update phone_codes set used_at = now()
    where tenant_id = :tenant_id and id = :id and used_at is null returning id
    """
)
_ACCESS = text(
    """
    select id, api_url, api_key, session, engine, engine_version from channels
    where tenant_id = :tenant_id and id = :channel_id and enabled and kind = 'waha'
    """
)
_SENT = text("update phone_codes set wa_id = :wa_id where tenant_id = :tenant_id and id = :id")
_FORGET = text("delete from phone_codes where tenant_id = :tenant_id and phone_hash = any(:hashes)")
_PRUNE = text("delete from phone_codes where expires_at < now() - interval '1 day'")


def normalise_phone(raw: str) -> str:
    """Return a phone number as digits with its country code; RefusedError when it is none."""
    digits = re.sub(r"[\s()./-]", "", raw.strip()).removeprefix("+").removeprefix("00")
    if not _PHONE_FORM.fullmatch(digits):
        raise RefusedError("Give the number with its country code, such as +49 151 …")
    return digits


class PhoneCodes:
    """Sends and checks codes for one deployment's tenants."""

    def __init__(
        self, database: Database, limiter: Limiter, settings: Settings, sender: Sender
    ) -> None:
        self._database = database
        self._settings = settings
        self._sender = sender
        self._throttles = Throttles(limiter, settings.secret_key)

    async def send(
        self, tenant_id: UUID, channel_id: UUID, phone: str, *, purpose: str, business: str
    ) -> None:
        """Send a code to a phone; earlier codes of this purpose stop working.

        Raises:
            RefusedError: this is no phone number.
            NotFoundError: the business has no such WhatsApp number.
            TooManyAttemptsError: 3 in 15 min to a phone, 60 an hour of a business.
            ProviderError: WhatsApp did not take the message; a new try makes a new code.
        """
        phone = normalise_phone(phone)
        access = await self._access(tenant_id, channel_id)
        await self._throttles.phone_code(str(tenant_id), phone)
        code = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
        code_id = ids.uuid7()
        client_id = (
            ids.client_message_id(code_id) if self._sender.honours_client_id(access) else None
        )
        key = self._key(tenant_id, phone, purpose)
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(_RETIRE, key)
            values = {
                **key,
                "id": code_id,
                "channel_id": channel_id,
                "wa_id": client_id,
                "code_hash": self._code_hash(self._first_key, code_id, code),
                "lifetime_s": LIFETIME_S,
            }
            await connection.execute(_INSERT, values)
        words = f"{code} is your code for {business}. It works for ten minutes; tell nobody."
        wa_id = await self._sender.send_text(access, f"{phone}@c.us", words, client_id)
        if wa_id and wa_id != client_id:
            # WhatsApp shows us our own message: by its id it is not taken for the owner's.
            async with self._database.tenant(tenant_id) as connection:
                values = {"tenant_id": tenant_id, "id": code_id, "wa_id": wa_id}
                await connection.execute(_SENT, values)

    async def check(
        self, tenant_id: UUID, phone: str, code: str, *, purpose: str, actor: Actor
    ) -> None:
        """Accept the right code once; RefusedError otherwise, in the same words.

        The fifth wrong try ends the code.
        """
        key = self._key(tenant_id, normalise_phone(phone), purpose)
        async with self._database.tenant(tenant_id) as connection:
            tried = (await connection.execute(_TRY, {**key, "tries_max": TRIES_MAX})).one_or_none()
        if tried is None or not self._fits(tried.id, tried.code_hash, code):
            raise RefusedError(_WRONG)
        async with self._database.tenant(tenant_id) as connection:
            used = await connection.scalar(_USE, {"tenant_id": tenant_id, "id": tried.id})
            if used is None:
                raise RefusedError(_WRONG)
            await service.record(
                connection, tenant_id, actor, action=f"phone.{purpose}", subject=key["phone_hash"]
            )

    async def _access(self, tenant_id: UUID, channel_id: UUID) -> ChannelAccess:
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(
                _ACCESS, {"tenant_id": tenant_id, "channel_id": channel_id}
            )
            row = found.one_or_none()
        if row is None:
            raise NotFoundError("There is no such WhatsApp number.")
        own = row.api_url is not None
        key = self._settings.waha_api_key
        if own:
            sealed = bytes(row.api_key) if row.api_key is not None else None
            ring = self._settings.keyring()
            key = ring.decrypt(sealed, api_key_ref(row.id)) if sealed else ""
        return ChannelAccess(
            channel_id=row.id,
            api_url=row.api_url or self._settings.waha_api_url,
            api_key=key,
            session=row.session,
            guarded=own,
            engine=row.engine,
            engine_version=row.engine_version,
        )

    def _key(self, tenant_id: UUID, phone: str, purpose: str) -> dict[str, Any]:
        # Bound to the business: equal numbers of two businesses cannot be matched.
        phone_hash = keyed_hash(self._first_key, f"phone:{tenant_id}", phone)
        return {"tenant_id": tenant_id, "purpose": purpose, "phone_hash": phone_hash}

    @property
    def _first_key(self) -> str:
        return self._settings.secret_keys[0]

    def _fits(self, code_id: UUID, stored: str, code: str) -> bool:
        given = re.sub(r"\s", "", code)
        return hmac.compare_digest(self._code_hash(self._first_key, code_id, given), stored)

    @staticmethod
    def _code_hash(key: str, code_id: UUID, code: str) -> str:
        return keyed_hash(key, f"phone_code:{code_id}", code)


async def forget(
    connection: AsyncConnection, tenant_id: UUID, phones: Sequence[str], *, secret_key: str
) -> None:
    """Delete the codes of phones (digits), for an erasure."""
    first = secret_key.split(",", 1)[0].strip()
    hashes = [keyed_hash(first, f"phone:{tenant_id}", phone) for phone in phones]
    await connection.execute(_FORGET, {"tenant_id": tenant_id, "hashes": hashes})


async def prune(connection: AsyncConnection) -> int:
    """Delete codes a day after they ended; return how many."""
    return (await connection.execute(_PRUNE)).rowcount
