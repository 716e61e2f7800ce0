"""A house of people: accounts, businesses and mailboxes on a real database, for tests."""

import re
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pyotp
from sqlalchemy import text

from app.core.config import Settings
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.passwords import HashCost, PasswordHasher
from billing.ledger import service as ledger
from tenants import login_sessions
from tenants.access import Role
from tenants.accounts import Accounts, SignUp
from tenants.admins import Admins
from tenants.businesses import Businesses, NewBusiness
from tenants.devices import Device
from tenants.email_change import EmailChange
from tenants.invitations import Invitations
from tenants.login_sessions import OpenSession, SignedIn
from tenants.memberships import Team
from tenants.passkeys import Passkeys
from tenants.second_factor import SecondFactor
from tests.worlds import World

PASSWORD = "seven bridges over an owl"
CHEAP = HashCost(memory_kib=64, passes=1)
_PLAN = "insert into plans (code, name) values ('house', 'House') on conflict do nothing"


def device(address: str = "203.0.113.7") -> Device:
    return Device(address, "Firefox on Linux", "req_test")


@dataclass
class House:
    """Every service on one database; each test's throttles are its own."""

    database: World
    settings: Settings = field(init=False)
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.settings = replace(
            self.database.settings, secret_key=uuid4().hex * 2, app_url="https://desk.example.org"
        )
        self.limiter = build_limiter(self.settings)
        self.accounts = Accounts(
            self.database.db, self.limiter, self.settings, PasswordHasher(CHEAP), answer_s=0
        )
        self.email_change = EmailChange(self.accounts)
        self.factor = SecondFactor(self.accounts, self.settings.keyring())
        self.passkeys = Passkeys(self.accounts, self.settings.app_url)
        self.businesses = Businesses(self.database.db, ledger.open_wallet)
        self.team = Team(self.accounts)
        self.invitations = Invitations(self.accounts)
        self.admins = Admins(self.accounts)

    async def close(self) -> None:
        await self.limiter.close()

    async def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.db.system() as connection:
            found = await connection.execute(text(sql), values)
            return [dict(row) for row in found.mappings()]

    async def execute(self, sql: str, **values: Any) -> None:
        async with self.database.db.system() as connection:
            await connection.execute(text(sql), values)

    async def mails(self, to: str) -> list[str]:
        """The texts of the mails to an address, oldest first."""
        rows = await self.rows("select id, recipient, content from mails order by created_at, id")
        opened = [self.accounts.outbox.open(r["id"], r["recipient"], r["content"]) for r in rows]
        return [rendered.text for address, rendered in opened if address == to]

    async def link(self, to: str) -> str:
        """The token of the newest link mailed to an address."""
        last = (await self.mails(to))[-1]
        found = re.search(r"(?:token=|invitations/)([\w-]{43})", last)
        assert found, last
        return found[1]

    async def register(self, email: str = "ada@example.org", name: str = "Ada") -> UUID:
        """A confirmed account."""
        form = SignUp(email=email, name=name, password=PASSWORD, terms_version="2026-11")
        await self.accounts.register(form, device(_address_of(email)))
        return await self.accounts.verify_email(await self.link(email), device())

    async def sign_in(self, email: str = "ada@example.org") -> OpenSession:
        return await self.accounts.sign_in(email, PASSWORD, device(_address_of(email)))

    async def person(self, session: OpenSession) -> SignedIn:
        found = await self.find(session.token)
        assert found is not None
        return found

    async def find(self, token: str) -> SignedIn | None:
        async with self.database.db.system() as connection:
            return await login_sessions.find(connection, token, "203.0.113.7")

    async def signed_in(self, email: str = "ada@example.org", name: str = "Ada") -> SignedIn:
        """A new account, signed in."""
        await self.register(email, name)
        return await self.person(await self.sign_in(email))

    async def owner(self, email: str = "ada@example.org", slug: str = "bakery") -> SignedIn:
        """A new account that owns a new business."""
        session_of = await self.signed_in(email, email.partition("@")[0].title())
        await self.execute(_PLAN)
        await self.businesses.create(session_of, new_business(slug), device())
        return await self.refreshed(session_of)

    async def refreshed(self, person: SignedIn) -> SignedIn:
        """The same session, read again (through a token made for it)."""
        async with self.database.db.system() as connection:
            opened = await login_sessions.rotate(connection, person.session_id, person.user_id)
        return await self.person(opened)

    async def join(self, owner: SignedIn, email: str, role: Role) -> SignedIn:
        """A new account that an owner took into their team."""
        await self.invitations.invite(owner, email, role, device())
        token = await self.link(email)
        person = await self.signed_in(email, email.partition("@")[0].title())
        await self.invitations.accept(person, token, device())
        return await self.refreshed(person)

    async def enrol(self, person: SignedIn) -> tuple[SignedIn, pyotp.TOTP, list[str]]:
        """Add an authenticator; its first code is used up by that."""
        enrolment = await self.factor.enrol(person)
        totp = pyotp.TOTP(enrolment.secret)
        session, codes = await self.factor.confirm(person, totp.now(), device())
        return await self.person(session), totp, codes

    async def admin(self, email: str = "root@example.org") -> SignedIn:
        """A platform admin with a second factor."""
        made = await self.admins.create(email, "Root", "test", send=False)
        await self.accounts.reset_password(made.token, PASSWORD, device())
        person, _, _ = await self.enrol(await self.person(await self.sign_in(email)))
        return person

    async def age(self, table: str, seconds: float) -> None:
        """Move a table's moments into the past."""
        columns = await self.rows(
            "select column_name from information_schema.columns where table_schema = 'public'"
            " and table_name = :name and data_type = 'timestamp with time zone'",
            name=table,
        )
        changes = ", ".join(
            f"{c['column_name']} = {c['column_name']} - make_interval(secs => :s)" for c in columns
        )
        await self.execute(f"update {table} set {changes}", s=seconds)


def new_business(slug: str = "bakery", **changes: Any) -> NewBusiness:
    form = NewBusiness(
        name=f"The {slug}",
        slug=slug,
        time_zone="Europe/Berlin",
        locale="en",
        country="DE",
        terms_version="2026-11",
        ai_disclosure_version="2026-11",
    )
    return replace(form, **changes)


def _address_of(email: str) -> str:
    """An address of one's own: throttles of one person do not touch another."""
    return f"198.51.100.{sum(email.encode()) % 250 + 1}"
