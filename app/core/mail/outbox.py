"""The outbox: an e-mail is a row of the transaction that it belongs to, and is sent after it.

Nobody who queues rings for it: the workers' sweep finds the row within seconds.
"""

import re
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.crypto import Keyring, SecretRef
from app.core.errors import RefusedError
from app.core.mail.letter import Letter, Rendered, render

KEY_CHARS_MAX = 200
ADDRESS_CHARS_MAX = 254
_ADDRESS_FORM = re.compile(r"[^\s@,;<>()\"]+@[^\s@,;<>()\"]+", re.ASCII)

# No conflict target: naming one needs the right to read, which a tenant's login has not.
_INSERT = text(
    """
    insert into mails (id, tenant_id, key, recipient, content, request_id)
    values (:id, :tenant_id, :key, :recipient, :content, :request_id)
    on conflict do nothing
    """
)


class Outbox:
    """Queues letters, sealed with the keys of the settings."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def queue(
        self,
        connection: AsyncConnection,
        *,
        to: str,
        letter: Letter,
        key: str,
        tenant_id: UUID | None = None,
        request_id: str | None = None,
    ) -> bool:
        """Queue a letter in the caller's transaction; False when its key was queued before.

        Args:
            connection: system scope, or the scope of ``tenant_id``.
            to: one address, ``name@host`` without a display name.
            letter: what it says.
            key: names the occasion (``invite:<id>``); once per tenant, or per platform
                without one.
            tenant_id: whose mail it is; None for the platform's own.
            request_id: the request that caused it.

        Raises:
            RefusedError: an address or a key of another form.
        """
        if not is_address(to):
            raise RefusedError("This is not one e-mail address, such as name@example.com.")
        if not 0 < len(key) <= KEY_CHARS_MAX:
            raise RefusedError("A mail's key has 1 to %(most)s characters.", most=KEY_CHARS_MAX)
        mail_id = ids.uuid7()
        content = msgspec.json.encode(render(letter)).decode()
        result = await connection.execute(
            _INSERT,
            {
                "id": mail_id,
                "tenant_id": tenant_id,
                "key": key,
                "recipient": self._keyring.encrypt(to, recipient_ref(mail_id)),
                "content": self._keyring.encrypt(content, content_ref(mail_id)),
                "request_id": request_id,
            },
        )
        return bool(result.rowcount)

    def open(self, mail_id: UUID, recipient: bytes, content: bytes) -> tuple[str, Rendered]:
        """Unseal a queued mail: its address and what it says."""
        to = self._keyring.decrypt(recipient, recipient_ref(mail_id))
        stored = self._keyring.decrypt(content, content_ref(mail_id))
        return to, msgspec.json.decode(stored, type=Rendered)


def is_address(value: str) -> bool:
    """Tell whether a text is one plain e-mail address, ``name@host``."""
    return len(value) <= ADDRESS_CHARS_MAX and bool(_ADDRESS_FORM.fullmatch(value))


def recipient_ref(mail_id: UUID) -> SecretRef:
    """Return where a mail's address is sealed."""
    return SecretRef("mails", "recipient", mail_id)


def content_ref(mail_id: UUID) -> SecretRef:
    """Return where a mail's content is sealed."""
    return SecretRef("mails", "content", mail_id)
