"""Browsers that somebody signed in with before, and the mail about one that is new.

A browser that completed a sign-in carries a mark: a keyed hash of the person's id, in a cookie of
that person's own. Without it a browser of the same kind at the same address, still signed in,
counts as known, too. The mark opens nothing; it only saves a mail.
"""

import hashlib
import hmac
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tenants.devices import Device

KNOWN = "parley_known_"
_NAME_HEX = 12
# Before the sign-in's own entry and session are written.
_SEEN = text(
    """
    select exists (select 1 from account_log where user_id = :user_id
                   and action in ('sign_in.password', 'sign_in.passkey')
                   and at < now()) as before,
           exists (select 1 from login_sessions where user_id = :user_id and id <> :session_id
                   and not awaiting_factor and agent = :agent and address = :address) as here
    """
)


def mark_of(secret_key: str, user_id: UUID) -> str:
    """Return the mark of a person: 64 hex digits that only we can make."""
    return hmac.new(secret_key.encode(), b"known\0" + user_id.bytes, hashlib.sha256).hexdigest()


def cookie_name(mark: str, *, secure: bool) -> str:
    """Return the cookie that carries a mark: one a person, so that a shared browser keeps each."""
    return f"{'__Host-' if secure else ''}{KNOWN}{mark[:_NAME_HEX]}"


async def is_new(
    connection: AsyncConnection,
    user_id: UUID,
    session_id: UUID,
    device: Device,
    secret_keys: Sequence[str],
) -> bool:
    """Tell whether a person signs in with a browser that was not seen before.

    The first sign-in of an account is no news. Call it in the sign-in's own transaction.
    """
    if any(mark_of(key, user_id) in device.marks for key in secret_keys):
        return False
    values = {
        "user_id": user_id,
        "session_id": session_id,
        "agent": device.agent,
        "address": device.address,
    }
    row = (await connection.execute(_SEEN, values)).one()
    return bool(row.before and not row.here)
