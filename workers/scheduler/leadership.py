"""One dispatcher at a time: a named row lease, taken when it is free or has run out."""

from sqlalchemy import text

from app.core.db.engine import Database

_TAKE = text(
    """
    insert into leases (name, owner, until)
    values (:name, :owner, now() + make_interval(secs => :lease_s))
    on conflict (name) do update
        set owner = excluded.owner, until = excluded.until,
            epoch = leases.epoch + (leases.owner <> excluded.owner)::int
        where leases.owner = excluded.owner or leases.until < now()
    returning epoch
    """
)
_RELEASE = text("delete from leases where name = :name and owner = :owner")


class Leadership:
    """A named right with a term; hold it by calling ``take`` well within the term."""

    def __init__(self, database: Database, *, name: str, owner: str, lease_s: float) -> None:
        self._database = database
        self._values = {"name": name, "owner": owner}
        self._lease_s = lease_s

    async def take(self) -> bool:
        """Take or renew the lease; False while someone else has it."""
        async with self._database.system() as connection:
            values = {**self._values, "lease_s": self._lease_s}
            return await connection.scalar(_TAKE, values) is not None

    async def release(self) -> None:
        """Give the lease back at a clean stop."""
        async with self._database.system() as connection:
            await connection.execute(_RELEASE, self._values)
