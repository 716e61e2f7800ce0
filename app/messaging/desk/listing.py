"""The list of conversations: views, counts, labels, keyset pages, what is unread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import live
from app.messaging.address_book import phones
from app.messaging.desk.viewers import VISIBLE, Viewer
from app.messaging.desk.waiting import LEFT_ALONE, OWNED

ROWS = 30
COUNT_MAX = 99
UNREAD_MAX = 9
# What nobody has looked at for two weeks no longer asks for attention.
_UNREAD_DAYS = 14


class View(StrEnum):
    """A way to look at the inbox."""

    PEOPLE = "people"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    ASSISTANT = "assistant"
    PAUSED = "paused"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    ALL = "all"


_CONDITIONS = {
    View.PEOPLE: OWNED,
    View.MINE: "c.assignee_id = :user_id and c.state in ('open', 'pending', 'snoozed')",
    View.UNASSIGNED: f"{OWNED} and c.assignee_id is null",
    View.ASSISTANT: ("c.state = 'pending' and (c.paused_until is null or c.paused_until <= now())"),
    View.PAUSED: "c.paused_until > now() and c.state <> 'resolved'",
    View.SNOOZED: "c.state = 'snoozed'",
    View.RESOLVED: "c.state = 'resolved'",
    View.ALL: "true",
}
# Where somebody waits, though nobody took over: of these, the ones that a view shows too.
_LEFT = {View.PEOPLE: "true", View.UNASSIGNED: "c.assignee_id is null"}
_LEFT_ONES = f"""
    left_alone a join conversations c on c.tenant_id = :tenant_id and c.id = a.id and {VISIBLE}
"""
_SLICE = """
          and (cast(:before_at as timestamptz) is null
               or (c.last_message_at, c.id) < (:before_at, cast(:before_id as uuid)))
          {labelled}
        order by c.last_message_at desc, c.id desc limit :rows_max
"""
_PAGE = f"""
    with {LEFT_ALONE}, page as (
        (select c.* from conversations c
        where c.tenant_id = :tenant_id and {VISIBLE} and {{condition}} {_SLICE})
        {{left}}
    )
"""  # noqa: S608
_AND_LEFT = f"union all (select c.* from {_LEFT_ONES} where {{left}} {_SLICE})"  # noqa: S608
_FOUND = f"""
    with {LEFT_ALONE}, page as (
        select c.* from conversations c
        where c.tenant_id = :tenant_id and {VISIBLE} and c.id = any(:ids)
    )
"""  # noqa: S608
_ROWS = """
    select c.id, c.state, c.contact_id, c.assignee_id, c.handover_reason, c.last_message_at,
           c.human_until, coalesce(c.paused_until > now(), false) as paused,
           c.state = 'open' and (c.human_until is null or c.human_until > now()) as people_own,
           a.id is not null as left_alone,
           coalesce(nullif(k.name, ''), nullif(k.push_name, '')) as name, c.address,
           k.blocked_at is not null as blocked,
           m.body, m.kind, m.author, m.sent_at, m.revoked_at,
           case when c.state = 'open' or a.id is not null then u.unread else 0 end as unread,
           l.labels
    from page c
    left join left_alone a on a.id = c.id
    join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    left join conversation_reads r
      on r.tenant_id = c.tenant_id and r.user_id = :user_id and r.conversation_id = c.id
    left join lateral (
        select x.body, x.kind, x.author, x.sent_at, x.revoked_at from messages x
        where x.tenant_id = c.tenant_id and x.conversation_id = c.id
        order by x.sent_at desc, x.id desc limit 1) m on true
    cross join lateral (
        select count(*) as unread from (
            select 1 from messages x
            where x.tenant_id = c.tenant_id and x.conversation_id = c.id and x.direction = 'in'
              and x.sent_at > coalesce(r.seen_at, '-infinity')
            limit :unread_max) y) u
    cross join lateral (
        select coalesce(array_agg(b.name order by b.name), '{}') as labels
        from conversation_labels a
        join labels b on b.tenant_id = a.tenant_id and b.id = a.label_id
        where a.tenant_id = c.tenant_id and a.conversation_id = c.id) l
    order by c.last_message_at desc, c.id desc limit :rows_max
"""
_LABELLED = """
    and exists (select 1 from conversation_labels z where z.tenant_id = c.tenant_id
                and z.conversation_id = c.id and z.label_id = :label_id)
"""


_COUNTED = (View.PEOPLE, View.MINE, View.UNASSIGNED)


def _count(view: View) -> str:
    left = f" union all select 1 from {_LEFT_ONES} where {_LEFT[view]}" if view in _LEFT else ""  # noqa: S608
    return (
        "(select count(*) from (select 1 from conversations c where c.tenant_id = :tenant_id"  # noqa: S608
        f" and {VISIBLE} and {_CONDITIONS[view]}{left} limit :count_max) x) as {view.value}"
    )


_UNREAD_COUNT = f"""
    (select count(*) from (
        select 1 from (
            select c.* from conversations c
            where c.tenant_id = :tenant_id and {VISIBLE} and {OWNED}
              and c.last_message_at > now() - make_interval(days => :days)
            union all select c.* from {_LEFT_ONES}) c
        left join conversation_reads r
          on r.tenant_id = c.tenant_id and r.user_id = :user_id and r.conversation_id = c.id
        where c.last_message_at > coalesce(r.seen_at, '-infinity')
          and exists (select 1 from messages x where x.tenant_id = c.tenant_id
                      and x.conversation_id = c.id and x.direction = 'in'
                      and x.sent_at > coalesce(r.seen_at, '-infinity'))
        limit :count_max) x) as unread
"""  # noqa: S608
_UNREAD = text(f"with {LEFT_ALONE} select {_UNREAD_COUNT}")
# One question for all that stands around the list.
_SUMMARY = text(
    f"""
    with {LEFT_ALONE}
    select {live.CURSOR} as cursor, {_UNREAD_COUNT},
           {", ".join(_count(view) for view in _COUNTED)},
           (select coalesce(json_agg(json_build_object('id', id, 'name', name)
                                     order by lower(name)), '[]')::text
            from labels where tenant_id = :tenant_id) as labels,
           (select coalesce(json_agg(json_build_object('id', id, 'shortcut', shortcut,
                                                       'body', body) order by shortcut),
                            '[]')::text
            from canned_replies where tenant_id = :tenant_id) as canned
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list.

    ``unread`` counts the customer's messages, up to ``UNREAD_MAX``, in conversations that
    people own or that were left to them. ``name`` is None for somebody who is known by their
    number alone.
    """

    id: UUID
    state: str
    contact_id: UUID
    assignee_id: UUID | None
    handover_reason: str | None
    last_message_at: datetime
    human_until: datetime | None
    paused: bool
    people_own: bool
    left_alone: bool
    name: str | None
    address: str
    blocked: bool
    body: str | None
    kind: str | None
    author: str | None
    sent_at: datetime | None
    revoked_at: datetime | None
    unread: int
    labels: Sequence[str]

    @property
    def title(self) -> str:
        """Whom the conversation is with."""
        return self.name or phone_of(self.address)


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, the latest first, and the cursor of the next page."""

    rows: Sequence[Row]
    before: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A label of the business."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class CannedReply:
    """A text that the team calls by ``/shortcut``."""

    id: UUID
    shortcut: str
    body: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts up to 99, what the team has to choose from, and where live updates begin."""

    cursor: str
    counts: Mapping[View, int]
    unread: int
    labels: Sequence[Label]
    canned: Sequence[CannedReply]


def phone_of(address: str) -> str:
    """Return a number as people write it; a hidden one has no digits to show."""
    digits, _, kind = address.partition("@")
    return phones.shown(digits) if kind == "c.us" and digits.isdigit() else ""


async def page(
    connection: AsyncConnection,
    viewer: Viewer,
    view: View,
    *,
    label_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> Page:
    """Return a page of a view, from a cursor on."""
    labelled = _LABELLED if label_id else ""
    left = _AND_LEFT.format(left=_LEFT[view], labelled=labelled) if view in _LEFT else ""
    head = _PAGE.format(condition=_CONDITIONS[view], left=left, labelled=labelled)
    values: dict[str, Any] = {
        **viewer.scope,
        "before_at": before[0] if before else None,
        "before_id": before[1] if before else None,
        "rows_max": ROWS + 1,
        "unread_max": UNREAD_MAX,
    }
    if label_id:
        values["label_id"] = label_id
    rows = await _read(connection, head, values)
    more = len(rows) > ROWS
    last = rows[ROWS - 1] if more else None
    cursor = f"{last.last_message_at.isoformat()}~{last.id}" if last else None
    return Page(rows[:ROWS], cursor)


async def of_ids(connection: AsyncConnection, viewer: Viewer, ids: Sequence[UUID]) -> Sequence[Row]:
    """Return lines of conversations by their ids; those out of sight are left out."""
    known = {"ids": list(ids), "rows_max": len(ids), "unread_max": UNREAD_MAX}
    return await _read(connection, _FOUND, {**viewer.scope, **known})


async def _read(connection: AsyncConnection, head: str, values: dict[str, Any]) -> list[Row]:
    found = await connection.execute(text(head + _ROWS), values)
    return [Row(**row) for row in found.mappings()]


async def summary(connection: AsyncConnection, viewer: Viewer) -> Summary:
    """Return what stands around the list. Ask first: its cursor covers what is read after it."""
    values = {**viewer.scope, "count_max": COUNT_MAX, "days": _UNREAD_DAYS}
    row = (await connection.execute(_SUMMARY, values)).mappings().one()
    return Summary(
        cursor=live.shortened(row["cursor"]),
        counts={view: row[view.value] for view in _COUNTED},
        unread=row["unread"],
        labels=msgspec.json.decode(row["labels"], type=list[Label]),
        canned=msgspec.json.decode(row["canned"], type=list[CannedReply]),
    )


async def unread(connection: AsyncConnection, viewer: Viewer) -> int:
    """Return how many conversations that wait for people have what this person has not seen."""
    values = {**viewer.scope, "count_max": COUNT_MAX, "days": _UNREAD_DAYS}
    return int(await connection.scalar(_UNREAD, values) or 0)
