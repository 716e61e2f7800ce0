"""Files of new messages are wanted: a row each, in the transaction that stores the message."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.core.media.content import safe_name
from app.messaging.media.limits import READ_KINDS
from app.messaging.media.models import KINDS
from app.messaging.states import Disposition

_URL_CHARS_MAX = 2_000
# Of people we have nothing to do with nothing is fetched.
_UNWANTED = {Disposition.BLOCKED.value, Disposition.SUSPENDED.value}

_INSERT = text(
    """
    insert into message_media (tenant_id, id, message_id, channel_id, kind, to_read, url, name,
                               claimed_type)
    select tenant_id, id, message_id, channel_id, kind, to_read, url, name, claimed_type
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, message_id uuid, channel_id uuid, kind text,
             to_read boolean, url text, name text, claimed_type text)
    """
)


async def want(connection: AsyncConnection, messages: Sequence[Mapping[str, Any]]) -> int:
    """Have the files of messages fetched that were stored just now; return how many.

    ``messages`` are rows as they were inserted. Only what the assistant is to answer is read;
    what people answer is kept for them to look at.
    """
    rows = [_row(m) for m in messages if _is_wanted(m)]
    if rows:
        await connection.execute(_INSERT, {"rows": as_rows(rows)})
    return len(rows)


def _is_wanted(message: Mapping[str, Any]) -> bool:
    return message["kind"] in KINDS and message["disposition"] not in _UNWANTED


def _row(message: Mapping[str, Any]) -> dict[str, Any]:
    told = message["media"] or {}
    url, name = told.get("url"), told.get("filename")
    return {
        "tenant_id": message["tenant_id"],
        "id": ids.uuid7(),
        "message_id": message["id"],
        "channel_id": message["channel_id"],
        "kind": message["kind"],
        "to_read": (
            message["direction"] == "in"
            and message["disposition"] is None
            and message["kind"] in READ_KINDS
        ),
        "url": url if url and len(url) < _URL_CHARS_MAX else None,
        # Shown while the file is not here yet; its extension is made sure of afterwards.
        "name": safe_name(name, None) if name else None,
        "claimed_type": told.get("mimetype"),
    }
