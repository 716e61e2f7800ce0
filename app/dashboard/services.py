"""What the pages call: the services of people and businesses, built once a process."""

from dataclasses import dataclass

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.types import Limiter
from app.core.passwords import PasswordHasher
from tenants.accounts import Accounts
from tenants.businesses import Businesses, OnCreate
from tenants.invitations import Invitations
from tenants.memberships import Team
from tenants.passkeys import Passkeys
from tenants.second_factor import SecondFactor


@dataclass(frozen=True, slots=True)
class Services:
    """The services behind the pages."""

    database: Database
    accounts: Accounts
    second_factor: SecondFactor
    passkeys: Passkeys
    businesses: Businesses
    team: Team
    invitations: Invitations

    @classmethod
    def build(
        cls,
        settings: Settings,
        database: Database,
        limiter: Limiter,
        *,
        on_create: OnCreate | None = None,
    ) -> "Services":
        """Build them on a process's pools. ``on_create`` adds to a new business (its wallet)."""
        accounts = Accounts(database, limiter, settings, PasswordHasher())
        return cls(
            database=database,
            accounts=accounts,
            second_factor=SecondFactor(accounts, settings.keyring()),
            passkeys=Passkeys(accounts, settings.app_url),
            businesses=Businesses(database, on_create),
            team=Team(accounts),
            invitations=Invitations(accounts),
        )
