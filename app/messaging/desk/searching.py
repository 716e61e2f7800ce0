"""Full-text search over a business's messages, and over its contacts' names and numbers.

Row level security keeps PostgreSQL from using a text index for the tenant's login: matching words
is no leak-proof operation. So the system's login, whose policy is trivially true, finds ids within
the named tenant, and everything that is shown is read again in the tenant's own scope.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import TextClause, text

from app.core.db.engine import Database
from app.messaging.desk.viewers import VISIBLE, Viewer

FOUND_MAX = 40
QUERY_CHARS_MAX = 200
_DIGITS_MIN = 4
_SPLIT = re.compile(r"[\s()+\-./]+")

# What people look for is mostly new, and a word that many messages have is in new ones: those are
# looked through first. The text index would first count all the rest; it is asked for what the
# latest do not have, and of what thousands have it gives a sample (PostgreSQL's own limit).
_SAMPLE = 1_000
_LATEST_MESSAGES = 2_000
_LIKELY_MESSAGES = 600
_LATEST_CONVERSATIONS = 500
_OF_CONTACT = 5
_FEWER = text(f"select set_config('gin_fuzzy_search_limit', '{_SAMPLE}', true)")

# Comparing letters is far cheaper than taking a text apart: only what has them is looked at.
_LETTERS = """
    select array(select '%' || word || '%'
                 from unnest(tsvector_to_array(to_tsvector('simple', folded(:words)))) as word
                 where position('\\' in word) = 0) as patterns
"""


def _seen(key: str) -> str:
    """Return the conversations of a row ``m``; the limit keeps it a look-up by key."""
    return f"""
        cross join lateral (
            select c.id, c.last_message_at from conversations c
            where c.tenant_id = :tenant_id and {key} and {VISIBLE}
            order by c.last_message_at desc limit {_OF_CONTACT}) s
    """  # noqa: S608 - our own conditions


_MESSAGES = f"""
    likely as materialized (
        select l.* from (
            select x.conversation_id, x.sent_at, x.body from messages x
            where x.tenant_id = :tenant_id and x.body is not null and x.revoked_at is null
            order by x.sent_at desc limit {_LATEST_MESSAGES}) l
        where folded(l.body) like all ((select patterns from letters)::text[])
        limit {_LIKELY_MESSAGES}
    ), said as materialized (
        select s.id, max(m.sent_at) as at
        from (select * from likely
              where search_words(:tenant_id, body) @@ search_query(:tenant_id, :words)) m
        {_seen("c.id = m.conversation_id")} group by s.id
    ), said_before as materialized (
        select s.id, m.at
        from (select x.conversation_id, max(x.sent_at) as at from messages x
              where x.tenant_id = :tenant_id and x.body is not null and x.revoked_at is null
                and search_words(x.tenant_id, x.body) @@ search_query(:tenant_id, :words)
                and (select count(*) from said) < :found_max
              group by x.conversation_id order by at desc limit {_SAMPLE}) m
        {_seen("c.id = m.conversation_id")}
    )
"""  # noqa: S608 - our own figures
_NAMES = f"""
    known as materialized (
        select l.id, l.last_message_at as at
        from (select c.id, c.contact_id, c.last_message_at from conversations c
              where c.tenant_id = :tenant_id and {VISIBLE}
              order by c.last_message_at desc limit {_LATEST_CONVERSATIONS}) l
        cross join lateral (
            select folded(coalesce(k.name, '') || ' ' || coalesce(k.push_name, '')) as name,
                   k.name as given, k.push_name from contacts k
            where k.tenant_id = :tenant_id and k.id = l.contact_id limit 1) k
        where k.name like all ((select patterns from letters)::text[])
          and contact_words(:tenant_id, k.given, k.push_name) @@ search_query(:tenant_id, :words)
    ), known_before as materialized (
        select s.id, s.last_message_at as at
        from (select k.id from contacts k
              where k.tenant_id = :tenant_id
                and contact_words(k.tenant_id, k.name, k.push_name)
                    @@ search_query(:tenant_id, :words)
                and (select count(*) from known) < :found_max
              limit {_SAMPLE}) m
        {_seen("c.contact_id = m.id")}
    )
"""  # noqa: S608 - our own figures
# The upper end is a letter: that stands behind all digits in every collation, a colon does not.
_NUMBERS = f"""
    numbered as materialized (
        select s.id, s.last_message_at as at
        from (select a.contact_id as id from contact_addresses a
              where a.tenant_id = :tenant_id and a.kind = 'phone'
                and a.address >= :digits and a.address < :digits || 'a'
              union
              select a.contact_id from contact_addresses a
              where a.tenant_id = :tenant_id and a.kind = 'phone'
                and reverse(split_part(a.address, '@', 1)) >= reverse(:digits)
                and reverse(split_part(a.address, '@', 1)) < reverse(:digits) || 'a'
              limit {_SAMPLE}) m
        {_seen("c.contact_id = m.id")}
    )
"""  # noqa: S608 - our own figures
_PARTS = ("said", "said_before", "known", "known_before")


def _statement(ctes: Sequence[str], parts: Sequence[str]) -> TextClause:
    found = " union all ".join(f"table {part}" for part in parts)
    return text(f"""
        with letters as materialized ({_LETTERS}), {", ".join(ctes)}
        select id, max(at) as at from ({found}) x group by id order by at desc limit :found_max
    """)  # noqa: S608 - our own parts


_FIND = _statement((_MESSAGES, _NAMES), _PARTS)
_FIND_NUMBERS = _statement((_MESSAGES, _NAMES, _NUMBERS), (*_PARTS, "numbered"))


async def search(database: Database, viewer: Viewer, words: str) -> Sequence[UUID]:
    """Return the ids of conversations in which all words (or their beginnings) are found.

    They are found in one message, in the contact's name, or as the first or last digits of their
    number. The latest stand first, at most ``FOUND_MAX``.
    """
    words = words.strip()[:QUERY_CHARS_MAX]
    if not any(c.isalnum() for c in words):
        return []
    values = {**viewer.scope, "words": words, "found_max": FOUND_MAX}
    statement, digits = _FIND, _SPLIT.sub("", words)
    if digits.isdecimal() and len(digits) >= _DIGITS_MIN:
        # A number as it is said at home begins with a zero that the stored one lacks.
        statement, values["digits"] = _FIND_NUMBERS, digits.lstrip("0")
    async with database.system() as connection:
        await connection.execute(_FEWER)
        return [row.id for row in await connection.execute(statement, values)]
