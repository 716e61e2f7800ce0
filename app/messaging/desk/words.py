"""What the team writes beside conversations: notes, labels, canned replies."""

import re
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.messaging.desk.viewers import Viewer

TEXT_CHARS_MAX = 4_000
LABEL_CHARS_MAX = 40
LABELS_MAX = 100
CANNED_MAX = 300
_SHORTCUT = re.compile(r"[a-z0-9-]{1,30}")

_ADD_NOTE = text(
    """
    insert into conversation_notes (tenant_id, id, conversation_id, user_id, body)
    values (:tenant_id, :id, :conversation_id, :user_id, :body)
    """
)
_MAKE_LABEL = text(
    """
    with made as (
        insert into labels (tenant_id, id, name)
        select :tenant_id, :id, :name
        where (select count(*) from labels where tenant_id = :tenant_id) < :labels_max
        on conflict (tenant_id, name) do nothing returning id
    )
    select id from made
    union all select id from labels where tenant_id = :tenant_id and name = :name limit 1
    """
)
_PUT_LABEL = text(
    """
    insert into conversation_labels (tenant_id, conversation_id, label_id)
    values (:tenant_id, :conversation_id, :label_id) on conflict do nothing
    """
)
_TAKE_LABEL = text(
    "delete from conversation_labels where tenant_id = :tenant_id"
    " and conversation_id = :conversation_id and label_id = :label_id"
)
_ADD_CANNED = text(
    """
    insert into canned_replies (tenant_id, id, shortcut, body)
    select :tenant_id, :id, :shortcut, :body
    where (select count(*) from canned_replies where tenant_id = :tenant_id) < :canned_max
    on conflict (tenant_id, shortcut) do nothing
    """
)
_CHANGE_CANNED = text(
    """
    update canned_replies r set shortcut = :shortcut, body = :body
    where tenant_id = :tenant_id and id = :id
      and not exists (select 1 from canned_replies o where o.tenant_id = :tenant_id
                      and o.shortcut = :shortcut and o.id <> r.id)
    """
)
_DROP_CANNED = text("delete from canned_replies where tenant_id = :tenant_id and id = :id")
_HAS_CANNED = text("select 1 from canned_replies where tenant_id = :tenant_id and id = :id")


async def add_note(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, body: str
) -> None:
    """Write a note that only colleagues see."""
    body = _text(body)
    await connection.execute(
        _ADD_NOTE,
        {
            "tenant_id": viewer.tenant_id,
            "id": ids.uuid7(),
            "conversation_id": conversation_id,
            "user_id": viewer.user_id,
            "body": body,
        },
    )


async def put_label(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, name: str
) -> None:
    """Put a label on a conversation; one of a new name is made."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LABEL_CHARS_MAX:
        raise RefusedError("Give the label a name of at most 40 characters.")
    key: dict[str, Any] = {"tenant_id": viewer.tenant_id}
    values = {**key, "id": ids.uuid7(), "name": name, "labels_max": LABELS_MAX}
    label_id = await connection.scalar(_MAKE_LABEL, values)
    if label_id is None:
        raise ConflictError("There are 100 labels already. Use one of them.")
    await connection.execute(
        _PUT_LABEL, {**key, "conversation_id": conversation_id, "label_id": label_id}
    )


async def take_label(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, label_id: UUID
) -> None:
    """Take a label from a conversation."""
    key = {"tenant_id": viewer.tenant_id, "conversation_id": conversation_id}
    await connection.execute(_TAKE_LABEL, {**key, "label_id": label_id})


async def save_canned(
    connection: AsyncConnection, viewer: Viewer, reply_id: UUID | None, shortcut: str, body: str
) -> None:
    """Add a canned reply, or change one."""
    if reply_id is not None:
        await _require_canned(connection, viewer, reply_id)
    shortcut = shortcut.strip().removeprefix("/").lower()
    if not _SHORTCUT.fullmatch(shortcut):
        raise RefusedError("A shortcut has 1 to 30 letters from a to z, digits or hyphens.")
    values = {
        "tenant_id": viewer.tenant_id,
        "id": reply_id or ids.uuid7(),
        "shortcut": shortcut,
        "body": _text(body),
    }
    if reply_id is None:
        done = await connection.execute(_ADD_CANNED, {**values, "canned_max": CANNED_MAX})
    else:
        done = await connection.execute(_CHANGE_CANNED, values)
    if not done.rowcount:
        raise ConflictError("This shortcut is taken, or there are 300 replies already.")


async def drop_canned(connection: AsyncConnection, viewer: Viewer, reply_id: UUID) -> None:
    """Delete a canned reply."""
    await _require_canned(connection, viewer, reply_id)
    await connection.execute(_DROP_CANNED, {"tenant_id": viewer.tenant_id, "id": reply_id})


async def _require_canned(connection: AsyncConnection, viewer: Viewer, reply_id: UUID) -> None:
    if not await connection.scalar(_HAS_CANNED, {"tenant_id": viewer.tenant_id, "id": reply_id}):
        raise NotFoundError("There is no such canned reply.")


def _text(raw: str) -> str:
    body = raw.strip()
    if not body:
        raise RefusedError("Write something first.")
    if len(body) > TEXT_CHARS_MAX:
        raise RefusedError("This text is too long: at most 4,000 characters.")
    return body
