"""Credits over REST: the caller's own balance."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, get

from app.core.db.engine import Database
from app.core.money import format_credits
from billing.ledger import service
from tenants.api import caller


class BalanceView(msgspec.Struct, rename="camel"):
    """Credits as decimal strings with up to six decimals."""

    available: str
    held: str
    spent: str
    owed: str
    frozen: bool


def api_routes(database: Callable[[], Awaitable[Database]]) -> list[Any]:
    """Return the handlers, to be mounted behind ``api_key_required``."""

    @get("/credits", summary="Credits available, held and spent")
    async def balance(request: Request[Any, Any, Any]) -> BalanceView:
        tenant_id = caller(request, "read").tenant_id
        async with (await database()).tenant(tenant_id) as connection:
            found = await service.balance(connection, tenant_id)
        return BalanceView(
            available=format_credits(found.available_ucr),
            held=format_credits(found.held_ucr),
            spent=format_credits(found.spent_ucr),
            owed=format_credits(found.owed_ucr),
            frozen=found.frozen,
        )

    return [balance]
