"""Links sent by e-mail: made, and used once, on PostgreSQL's clock."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import RefusedError
from tenants.tokens import hash_token, is_token, new_token

LIFETIME_S = {
    "verify_email": 24 * 3600,
    "reset_password": 3600,
    "change_email": 3600,
    "set_password": 24 * 3600,
}
# A newer link replaces the older ones of its purpose: only the last mail counts.
_RETIRE = text(
    "delete from account_tokens where user_id = :user_id and purpose = any(:purposes)"
    " and used_at is null"
)
_INSERT = text(
    """
    insert into account_tokens (id, user_id, purpose, token_hash, new_email, expires_at)
    values (:id, :user_id, :purpose, :token_hash, :new_email,
            now() + make_interval(secs => :lifetime_s))
    """
)
_USE = text(
    """
    update account_tokens set used_at = now()
    where token_hash = :token_hash and purpose = any(:purposes) and used_at is null
      and expires_at > now()
    returning user_id, purpose, new_email
    """
)
_PEEK = text(
    """
    select 1 from account_tokens where token_hash = :token_hash and purpose = any(:purposes)
      and used_at is null and expires_at > now()
    """
)
_PRUNE = text(
    "delete from account_tokens where coalesce(used_at, expires_at) < now() - interval '7 days'"
)


@dataclass(frozen=True, slots=True)
class UsedToken:
    """Whose link was used, and for what."""

    user_id: UUID
    purpose: str
    new_email: str | None


async def issue(
    connection: AsyncConnection, user_id: UUID, purpose: str, *, new_email: str | None = None
) -> str:
    """Return a new link's token; earlier unused ones of this purpose stop working."""
    token = new_token()
    await retire(connection, user_id, purpose)
    await connection.execute(
        _INSERT,
        {
            "id": ids.uuid7(),
            "user_id": user_id,
            "purpose": purpose,
            "token_hash": token.hash,
            "new_email": new_email,
            "lifetime_s": LIFETIME_S[purpose],
        },
    )
    return token.text


async def use(connection: AsyncConnection, token: str, *purposes: str) -> UsedToken:
    """Use a link up; RefusedError when it is unknown, used, replaced or too old."""
    row = None
    if is_token(token):
        found = await connection.execute(
            _USE, {"token_hash": hash_token(token), "purposes": list(purposes)}
        )
        row = found.one_or_none()
    if row is None:
        raise RefusedError("This link is no longer valid. Ask for a new one.")
    return UsedToken(row.user_id, row.purpose, row.new_email)


async def is_valid(connection: AsyncConnection, token: str, *purposes: str) -> bool:
    """Tell whether a link could be used now; looking does not use it up."""
    return is_token(token) and bool(
        await connection.scalar(
            _PEEK, {"token_hash": hash_token(token), "purposes": list(purposes)}
        )
    )


async def retire(connection: AsyncConnection, user_id: UUID, *purposes: str) -> None:
    """Make a person's unused links of these purposes worthless."""
    await connection.execute(_RETIRE, {"user_id": user_id, "purposes": list(purposes)})


async def prune(connection: AsyncConnection) -> int:
    """Delete links a week after they ended; return how many."""
    return (await connection.execute(_PRUNE)).rowcount
