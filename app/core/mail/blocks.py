"""Addresses that are not written to: a mailbox that does not exist, or somebody who complained.

Kept as keyed hashes. A block ends after thirty days: mailboxes come back. Mails about an account
go in spite of a complaint, which is about notices. Where a mailbox does not exist nothing goes,
but a mail about an account is tried once a day: who cannot sign in has no other way back.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.limits.subjects import hash_subject

BOUNCED, COMPLAINED = "bounced", "complained"
BLOCK_DAYS = 30
ACCOUNT_BLOCK_DAYS = 1
"""For mails about an account, such as a new password that somebody asked for."""

_FIND = text(
    """
    select address_hash, reason from mail_blocks
    where address_hash = any(:hashes) and created_at > now() - make_interval(days => :days)
    """
)
# Who complained and then bounces has bounced; the other way round it stays a bounce.
_BLOCK = text(
    """
    insert into mail_blocks (address_hash, reason) values (:hash, :reason)
    on conflict (address_hash) do update set created_at = now(),
        reason = case when mail_blocks.reason = 'bounced' then 'bounced' else excluded.reason end
    """
)
_UNBLOCK = text("delete from mail_blocks where address_hash = any(:hashes)")
_PRUNE = text(f"delete from mail_blocks where created_at < now() - interval '{BLOCK_DAYS} days'")  # noqa: S608


class MailBlocks:
    """Reads and writes the list. Needs the system scope.

    Args:
        secret_keys: the first makes hashes, all find them, so that a rotation forgets nobody.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._keys = tuple(secret_keys) or ("unset",)

    async def find(
        self, connection: AsyncConnection, addresses: Collection[str], *, days: int = BLOCK_DAYS
    ) -> dict[str, str]:
        """Return those addresses that are blocked: address → ``bounced`` or ``complained``.

        ``days`` leaves out what was told longer ago.
        """
        known = {digest: a for a in addresses for digest in self._hashes(a)}
        if not known:
            return {}
        rows = await connection.execute(_FIND, {"hashes": list(known), "days": days})
        return {known[row.address_hash]: row.reason for row in rows}

    async def block(self, connection: AsyncConnection, address: str, reason: str) -> None:
        """Write to an address no more."""
        await connection.execute(_BLOCK, {"hash": self._hashes(address)[0], "reason": reason})

    async def unblock(self, connection: AsyncConnection, address: str) -> bool:
        """Try an address again; False when nothing was known against it."""
        done = await connection.execute(_UNBLOCK, {"hashes": self._hashes(address)})
        return bool(done.rowcount)

    def _hashes(self, address: str) -> list[str]:
        return [hash_subject(key, "mail_block", address.strip().lower()) for key in self._keys]


async def prune(connection: AsyncConnection) -> int:
    """Delete blocks that have ended; return how many."""
    return (await connection.execute(_PRUNE)).rowcount
