"""What Resend tells after a mail was sent: delivered, bounced, complained.

An event counts only for a mail of ours, found by Resend's id. It may come before our own commit
that knows the id, and more than once, and in any order: a worse outcome stays.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import RefusedError
from app.core.mail.blocks import BOUNCED, COMPLAINED, MailBlocks

KINDS = {
    "email.delivered": "delivered",
    "email.bounced": BOUNCED,
    "email.suppressed": BOUNCED,
    "email.complained": COMPLAINED,
}
ADDRESSES_MAX = 50
_SECRET_BYTES_MIN = 16
_SOON = timedelta(minutes=2)

_RECORD = text(
    """
    with found as (
        select id from mails where provider_id = :provider_id order by id limit 1 for update
    ), changed as (
        update mails m set outcome = :outcome, outcome_at = now() from found
        where m.id = found.id and m.state <> 'queued'
          and array_position(array['delivered', 'complained', 'bounced'], :outcome)
              > coalesce(array_position(array['delivered', 'complained', 'bounced'], m.outcome), 0)
        returning m.id
    )
    select (select count(*) from found) as found, (select count(*) from changed) as changed
    """
)


class Bounce(msgspec.Struct):
    """How a mail came back: ``Permanent``, ``Transient`` or ``Undetermined``."""

    type: str = ""


class Told(msgspec.Struct):
    """What an event says of its mail."""

    email_id: str
    to: list[str] = []
    bounce: Bounce | None = None


class MailEvent(msgspec.Struct):
    """One event; what is not read of it is ignored."""

    type: str
    created_at: datetime
    data: Told


def is_signed(raw: bytes, headers: dict[str, str], secret: str) -> bool:
    """Tell whether a body carries Resend's signature, not older than five minutes.

    Args:
        raw: the body as it came.
        headers: ``svix-id``, ``svix-timestamp`` and ``svix-signature``.
        secret: ``whsec_`` and base64; one that is empty or short signs nothing.
    """
    import base64
    import binascii

    from resend import Webhooks

    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        if len(key) < _SECRET_BYTES_MIN:
            return False
        Webhooks.verify(
            {
                "payload": raw.decode(),
                "headers": {
                    "id": headers.get("svix-id", ""),
                    "timestamp": headers.get("svix-timestamp", ""),
                    "signature": headers.get("svix-signature", ""),
                },
                "webhook_secret": secret,
            }
        )
    except (ValueError, binascii.Error):
        return False
    return True


def read_event(raw: bytes) -> MailEvent:
    """Read a signed body; RefusedError when it is no event."""
    try:
        event = msgspec.json.decode(raw, type=MailEvent)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise RefusedError("The body is not an event of Resend's.") from None
    if "\0" in event.data.email_id or event.created_at.tzinfo is None:
        raise RefusedError("The body is not an event of Resend's.")
    return event


async def record(connection: AsyncConnection, event: MailEvent, blocks: MailBlocks) -> str:
    """Note what became of a mail (system scope).

    Returns ``recorded``, ``duplicate`` (known, or overtaken by something worse), ``ignored``
    (another kind, another's mail), or ``later``: the mail may be sent at this very moment, and
    the event should come again.
    """
    outcome = KINDS.get(event.type)
    if outcome is None or (outcome == BOUNCED and _may_pass(event)):
        return "ignored"
    values = {"provider_id": event.data.email_id, "outcome": outcome}
    row = (await connection.execute(_RECORD, values)).one()
    if not row.found:
        young = datetime.now(UTC) - event.created_at < _SOON
        return "later" if young else "ignored"
    if not row.changed:
        return "duplicate"
    if outcome in {BOUNCED, COMPLAINED}:
        for address in event.data.to[:ADDRESSES_MAX]:
            await blocks.block(connection, address, outcome)
    return "recorded"


def _may_pass(event: MailEvent) -> bool:
    """Tell whether a bounce says nothing of the mailbox itself: full, or away for a while."""
    kind = event.data.bounce.type if event.data.bounce else ""
    return event.type == "email.bounced" and kind.lower() in {"transient", "undetermined"}
