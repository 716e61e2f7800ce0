"""Full-text search over a business's messages, and over its contacts' names and numbers.

Row level security keeps PostgreSQL from using a text index for the tenant's login: matching words
is no leak-proof operation. So the system's login, whose policy is trivially true, finds ids within
the named tenant, and everything that is shown is read again in the tenant's own scope.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from app.core.db.engine import Database
from app.messaging.desk.viewers import VISIBLE, Viewer

FOUND_MAX = 40
QUERY_CHARS_MAX = 200
_DIGITS_MIN = 4
_SPLIT = re.compile(r"[\s()+\-./]+")

# Of a word that thousands of messages have, a sample is enough: the limit is PostgreSQL's own.
_FEWER = text("select set_config('gin_fuzzy_search_limit', '2000', true)")
_MESSAGES = text(
    f"""
    select c.id, max(m.sent_at) as at
    from messages m join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    where m.tenant_id = :tenant_id and m.body is not null and m.revoked_at is null
      and search_words(m.tenant_id, m.body) @@ search_query(:tenant_id, :words) and {VISIBLE}
    group by c.id order by at desc limit :found_max
    """  # noqa: S608
)
_CONTACTS = text(
    f"""
    select c.id, c.last_message_at as at
    from contacts k
    join conversations c on c.tenant_id = k.tenant_id and c.contact_id = k.id
    where k.tenant_id = :tenant_id
      and contact_words(k.tenant_id, k.name, k.push_name) @@ search_query(:tenant_id, :words)
      and {VISIBLE}
    order by at desc limit :found_max
    """  # noqa: S608
)
_NUMBERS = text(
    f"""
    select c.id, c.last_message_at as at
    from contact_addresses a
    join conversations c on c.tenant_id = a.tenant_id and c.contact_id = a.contact_id
    where a.tenant_id = :tenant_id and a.kind = 'phone' and a.address like :digits and {VISIBLE}
    order by at desc limit :found_max
    """  # noqa: S608
)


async def search(database: Database, viewer: Viewer, words: str) -> Sequence[UUID]:
    """Return the ids of conversations in which all words (or their beginnings) are found.

    They are found in one message, in the contact's name, or as digits of their number.
    """
    words = words.strip()[:QUERY_CHARS_MAX]
    if not any(c.isalnum() for c in words):
        return []
    values = {**viewer.scope, "words": words, "found_max": FOUND_MAX}
    digits = _SPLIT.sub("", words)
    async with database.system() as connection:
        await connection.execute(_FEWER)
        found = [*await connection.execute(_CONTACTS, values)]
        if digits.isdecimal() and len(digits) >= _DIGITS_MIN:
            # A number as it is said at home begins with a zero that the stored one lacks.
            numbers = {**values, "digits": f"%{digits.lstrip('0')}%@c.us"}
            found += await connection.execute(_NUMBERS, numbers)
        found += await connection.execute(_MESSAGES, values)
    newest = {row.id: row.at for row in sorted(found, key=lambda row: row.at)}
    return sorted(newest, key=lambda each: newest[each], reverse=True)[:FOUND_MAX]
