"""`parley credits` as an operator types it."""

import asyncio
import json

import asyncpg
import pytest

from app.cli.main import run
from tests.billing.ledger import CREDIT

pytestmark = pytest.mark.anyio


@pytest.fixture
def environment(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database.app_url)
    monkeypatch.setenv("DATABASE_SYSTEM_URL", database.system_url)


async def parley(*words: str) -> int:
    # The command makes an event loop of its own.
    return await asyncio.to_thread(run, ["credits", *words])


async def test_grant_then_balance(environment, ledger, capsys):
    tenant = str(ledger.tenant_id)
    words = ("grant", "--tenant", tenant, "--credits", "2.5", "--source", "promo", "--ref", "r1")
    assert await parley(*words, "--reason", "welcome", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "granted"
    assert await parley(*words) == 0
    assert "Granted before" in capsys.readouterr().out
    await ledger.charge(CREDIT, CREDIT)
    await ledger.hold(ledger.holding(CREDIT // 2))
    assert await parley("balance", "--tenant", f"t-{tenant}", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "tenant_id": tenant,
        "available": "1",
        "held": "0.5",
        "spent": "1",
    }


async def test_the_same_ref_with_other_terms_is_refused(environment, ledger, capsys):
    words = ("grant", "--tenant", str(ledger.tenant_id), "--source", "promo", "--ref", "r1")
    assert await parley(*words, "--credits", "1") == 0
    assert await parley(*words, "--credits", "2") == 1
    assert "other terms" in capsys.readouterr().err


@pytest.mark.parametrize("amount", ["0", "-1", "x", "1.0000001"])
async def test_an_amount_that_is_none_is_wrong_usage(environment, ledger, amount):
    words = ("grant", "--tenant", str(ledger.tenant_id), "--source", "promo", "--ref", "r")
    assert await parley(*words, f"--credits={amount}") == 2


async def test_an_unknown_tenant_is_a_clear_sentence(environment, ledger, capsys):
    assert await parley("balance", "--tenant", "nobody") == 1
    assert "There is no tenant with the id or slug 'nobody'." in capsys.readouterr().err


async def test_an_unreachable_database_is_exit_3(environment, ledger, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_SYSTEM_URL", "postgresql://parley_system:x@127.0.0.1:1/none")
    assert await parley("balance", "--tenant", "any") == 3
    assert "does not answer" in capsys.readouterr().err


async def test_verify_says_proved_or_names_the_row(environment, database, ledger, capsys):
    await ledger.grant(CREDIT)
    assert await parley("verify") == 0
    assert "proved" in capsys.readouterr().out
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("update journal set request_id = 'req_else'")
    await connection.close()
    assert await parley("verify", "--tenant", str(ledger.tenant_id), "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    found = [(f["table"], f["row"], f["invariant"]) for f in answer["tenants"][0]["findings"]]
    assert ("journal", "seq 1", 12) in found
