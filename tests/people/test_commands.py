"""`parley admin` and `parley tenants`, as an operator types them."""

import asyncio
import json

import click
import pytest
from click.testing import CliRunner, Result

from app.cli.commands.admin import admin
from app.cli.commands.tenants import tenants
from app.cli.errors import CommandError
from tenants.closing import Closing
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio


@pytest.fixture
def typed(house: House, monkeypatch: pytest.MonkeyPatch):
    settings = house.settings
    for name in ("database_url", "database_system_url", "secret_key", "encryption_keys", "app_url"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))

    async def run(command: click.Command, *words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, command, list(words))

    return run


async def test_the_first_admin(house: House, typed):
    done = await typed(admin, "create", "--email", "Root@example.org", "--json")
    link = json.loads(done.stdout)["link"]
    assert link.startswith("https://desk.example.org/reset-password?token=")
    await house.accounts.reset_password(link.partition("token=")[2], PASSWORD, device())
    person = await house.person(await house.sign_in("root@example.org"))
    assert person.must_enrol
    again = await typed(admin, "create", "--email", "root@example.org", "--mail")
    assert "token=" not in again.stdout
    assert "Choose a password" in (await house.mails("root@example.org"))[-1]


async def test_businesses_are_listed_suspended_and_resumed(house: House, typed):
    await house.owner()
    rows = json.loads((await typed(tenants, "list", "--json")).stdout)["tenants"]
    assert [(r["slug"], r["status"], r["people"]) for r in rows] == [("bakery", "active", 1)]
    for word, status in (("suspend", "suspended"), ("resume", "active")):
        done = await typed(tenants, word, "--tenant", "bakery", "--reason", "unpaid")
        assert status in done.stdout
        (row,) = await house.rows("select status from tenants")
        assert row["status"] == status
    actions = await house.rows("select reason from audit_log where action = 'business.set_status'")
    assert [a["reason"] for a in actions] == ["unpaid", "unpaid"]
    missing = await typed(tenants, "suspend", "--tenant", "nobody", "--reason", "x")
    assert isinstance(missing.exception, CommandError)


async def test_a_closing_is_undone(house: House, typed):
    owner = await house.owner()
    await Closing(house.accounts).close(owner, device())
    assert "closing, erased on" in (await typed(tenants, "list")).stdout
    assert "open again" in (await typed(tenants, "reopen", "--tenant", "bakery")).stdout
