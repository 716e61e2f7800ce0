"""`parley plans` as an operator types it."""

import asyncio
import json

import pytest

from app.cli.main import run
from tests.databases import TestDatabase

pytestmark = pytest.mark.anyio


async def parley(*words: str) -> int:
    # The command makes an event loop of its own.
    return await asyncio.to_thread(run, ["plans", *words])


async def test_plans_and_packages_are_made_and_listed(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATABASE_URL", database.app_url)
    monkeypatch.setenv("DATABASE_SYSTEM_URL", database.system_url)
    why = ("--reason", "price list")
    terms = ("--name", "Pro", "--credits", "500", "--price-minor", "4900")
    assert await parley("set", "pro", *terms, *why) == 0
    assert await parley("set", "pro", "--weight", "3", *why) == 0
    assert await parley("package", "c1", "--credits", "10", "--price-minor", "500", *why) == 0
    assert await parley("package", "free", "--credits", "10", *why) == 2
    capsys.readouterr()
    assert await parley("list") == 0
    shown = capsys.readouterr().out
    assert "€49.00 a month, 500 credits, weight 3" in shown
    assert "€5.00, 10 credits" in shown
    assert await parley("list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    pro = next(plan for plan in found["plans"] if plan["code"] == "pro")
    assert (pro["price_minor"], pro["weight"], pro["monthly_credits_ucr"]) == (4900, 3, 500_000_000)
