"""All services about people, put together once: what pages and commands are given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.types import Limiter
from app.core.passwords import PasswordHasher
from app.http.client import client_address, header
from tenants import login_sessions
from tenants.accounts import ANSWER_S, Accounts
from tenants.admins import Admins
from tenants.api_keys import ApiKeys
from tenants.businesses import Businesses, OnCreate
from tenants.closing import Closing
from tenants.deny_list import DenyList
from tenants.devices import Device, summarise
from tenants.invitations import Invitations
from tenants.login_sessions import SignedIn
from tenants.memberships import Team
from tenants.passkeys import Passkeys
from tenants.second_factor import SecondFactor


@dataclass(frozen=True, slots=True)
class People:
    """The services by name; each is safe to share between requests."""

    accounts: Accounts
    factor: SecondFactor
    passkeys: Passkeys
    businesses: Businesses
    team: Team
    invitations: Invitations
    admins: Admins
    api_keys: ApiKeys
    closing: Closing
    deny_list: DenyList


def build_people(
    database: Database,
    limiter: Limiter,
    settings: Settings,
    hasher: PasswordHasher,
    *,
    on_create: OnCreate | None = None,
    answer_s: float = ANSWER_S,
) -> People:
    """Build the services.

    Args:
        database: both logins.
        limiter: decides the throttles.
        settings: for keys and the address of the product.
        hasher: one for the process: it bounds how many hashes are made at once.
        on_create: what billing adds to a new business (its wallet).
        answer_s: how long answers take that might tell of an account.
    """
    accounts = Accounts(database, limiter, settings, hasher, answer_s=answer_s)
    return People(
        accounts=accounts,
        factor=SecondFactor(accounts, settings.keyring()),
        passkeys=Passkeys(accounts, settings.app_url),
        businesses=Businesses(database, on_create),
        team=Team(accounts),
        invitations=Invitations(accounts),
        admins=Admins(accounts),
        api_keys=ApiKeys(database),
        closing=Closing(accounts),
        deny_list=DenyList(database),
    )


def person_finder(
    database: Callable[[], Awaitable[Database]], settings: Settings
) -> Callable[[str, Any], Awaitable[SignedIn | None]]:
    """Return what ``app.http.sessions`` asks: whom a cookie's token stands for."""

    async def find(token: str, scope: Any) -> SignedIn | None:
        address = client_address(scope, settings.trusted_proxies)
        async with (await database()).system_statement() as connection:
            return await login_sessions.find(connection, token, address)

    return find


def device_of(scope: Any, settings: Settings) -> Device:
    """Return the browser behind a request: address, summarised agent, request id."""
    agent = (header(scope, b"user-agent") or b"").decode("latin-1")
    address = client_address(scope, settings.trusted_proxies)
    return Device(address, summarise(agent), scope.get("parley_request_id"))
