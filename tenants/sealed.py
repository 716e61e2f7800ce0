"""Every sealed column of the schema, and their re-sealing under the first key.

Rotation without downtime: put the new key first in ``ENCRYPTION_KEYS`` (old ones behind it),
restart the processes, run ``parley secrets rotate``, then take the old key away. All keys open,
the first one seals, and a value is replaced only if it is still the one that was read.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.crypto import DecryptionError, Keyring, SecretRef
from app.core.db.engine import Database

BATCH = 500


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed secrets, bound to the row's ``id``."""

    table: str
    column: str

    @property
    def name(self) -> str:
        """Return ``table.column``."""
        return f"{self.table}.{self.column}"


SEALED = (
    SealedColumn("channels", "webhook_secret"),
    SealedColumn("channels", "api_key"),
    SealedColumn("tenant_tools", "headers"),
    SealedColumn("users", "totp_secret"),
    SealedColumn("mails", "recipient"),
    SealedColumn("mails", "content"),
)
"""A test compares this with the schema: a bytea column is here, or is known to be no secret."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did to one column.

    Attributes:
        sealed: values re-sealed now.
        unreadable: ids of rows that no key of the keyring opens; they stay as they are.
    """

    column: SealedColumn
    sealed: int
    unreadable: tuple[UUID, ...]


async def outdated(connection: AsyncConnection, column: SealedColumn, keyring: Keyring) -> int:
    """Return how many values are not sealed with the first key."""
    query = text(f"select count(*) from {column.table} where {_old(column)}")  # noqa: S608
    return int(await connection.scalar(query, {"kid": keyring.keys[0][0].encode()}) or 0)


async def rotate(database: Database, column: SealedColumn, keyring: Keyring) -> Rotation:
    """Re-seal a column in batches, each a transaction; may be stopped and repeated at any time."""
    sealed, unreadable = 0, list[UUID]()
    after = UUID(int=0)
    while True:
        async with database.system() as connection:
            rows = await _batch(connection, column, keyring, after)
            for row_id, old in rows:
                done = await _reseal(connection, column, keyring, row_id=row_id, old=old)
                if done is None:
                    unreadable.append(row_id)
                else:
                    sealed += done
        if not rows:
            return Rotation(column, sealed, tuple(unreadable))
        after = rows[-1][0]


def _old(column: SealedColumn) -> str:
    """The condition that a value was sealed with another key than ``:kid``."""
    name = column.column
    return f"{name} is not null and substr({name}, 3, get_byte({name}, 1)) <> cast(:kid as bytea)"


async def _batch(
    connection: AsyncConnection, column: SealedColumn, keyring: Keyring, after: UUID
) -> list[tuple[UUID, bytes]]:
    query = text(
        f"select id, {column.column} from {column.table} where {_old(column)} and id > :after"  # noqa: S608 - names of ours
        " order by id limit :batch_max"
    )
    values = {"kid": keyring.keys[0][0].encode(), "after": after, "batch_max": BATCH}
    return [(row[0], bytes(row[1])) for row in await connection.execute(query, values)]


async def _reseal(
    connection: AsyncConnection,
    column: SealedColumn,
    keyring: Keyring,
    *,
    row_id: UUID,
    old: bytes,
) -> int | None:
    ref = SecretRef(column.table, column.column, row_id)
    try:
        new = keyring.encrypt(keyring.decrypt(old, ref), ref)
    except DecryptionError:
        return None
    # Whoever changed the secret meanwhile sealed it with the first key already.
    update = text(
        f"update {column.table} set {column.column} = :new"  # noqa: S608 - names of ours
        f" where id = :id and {column.column} = :old"
    )
    return (await connection.execute(update, {"id": row_id, "new": new, "old": old})).rowcount
