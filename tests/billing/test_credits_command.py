"""`parley credits` as an operator types it."""

import asyncio
import json
from datetime import UTC, datetime

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


async def test_unfreeze_wants_a_proof_and_leaves_an_entry(environment, database, ledger, capsys):
    words = ("unfreeze", "--tenant", str(ledger.tenant_id), "--reason", "a row was put right")
    await ledger.grant(CREDIT)
    assert await parley(*words) == 1
    assert "not frozen" in capsys.readouterr().err
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(
            "update wallets set frozen_at = now(), frozen_reason = 'broken', head_hash = 'x'"
        )
        assert await parley(*words) == 1
        assert "wallets" in capsys.readouterr().err
        await connection.execute("update wallets set head_hash = (select hash from journal)")
        assert await parley(*words) == 0
        assert await ledger.hold(ledger.holding(CREDIT)) == "held"
        entry = await connection.fetchrow(
            "select actor_kind, reason from audit_log where action = 'credits.unfreeze'"
        )
        assert tuple(entry) == ("operator", "a row was put right")
    finally:
        await connection.close()


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


async def test_caps_are_shown_changed_and_switched_off(environment, ledger, capsys):
    tenant = ("--tenant", str(ledger.tenant_id))
    assert await parley("caps", *tenant, "--daily", "2.5", "--contact", "9", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["daily"], shown["contact_replies_per_day"]) == ("2.5", 9)
    assert shown["auto_stop_per_hour"] is None
    assert await parley("caps", *tenant, "--daily", "off", "--auto-stop", "100") == 0
    words = capsys.readouterr().out
    assert "Credits a day: no cap; 0 used today." in words
    assert "Auto-stop: above 100 credits an hour." in words
    assert await parley("caps", *tenant, "--daily", "many") == 2
    assert "--daily: “many” is not a number of credits" in capsys.readouterr().err


async def test_prices_are_scheduled_listed_and_withdrawn(environment, ledger, capsys):
    words = ("price", "schedule", "--from", "2999-01-01T00:00:00+00:00", "--reply", "2")
    tokens = ("--tokens", "*:0.001:0.004", "--provider", "gpt-x:0.15:0.6")
    assert await parley(*words, *tokens, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["per_1k_tokens"] == {"*": {"input": "0.001", "output": "0.004"}}
    assert made["provider_usd_per_1m_tokens"] == {"gpt-x": {"input": "0.15", "output": "0.6"}}
    assert await parley("prices") == 0
    newest, first = capsys.readouterr().out.splitlines()
    assert "2 a reply; 1 000 tokens of any other model 0.001 in, 0.004 out" in newest
    assert first.startswith("1  from 2000-01-01T00:00:00+00:00 until 2999-01-01")
    assert await parley(*words) == 1
    assert "Version 2 is scheduled" in capsys.readouterr().err
    assert await parley("price", "withdraw", "2") == 0
    assert await parley("price", "withdraw", "2") == 1
    assert await parley("prices", "--json") == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["prices"]) == 1


async def test_prices_that_cannot_be_are_wrong_usage(environment, capsys):
    for words, said in (
        (("--from", "soon", "--reply", "1"), "'soon' is not a moment"),
        (("--from", "2020-01-01T00:00:00Z", "--reply", "1"), "in the future only"),
        (
            ("--from", "2999-01-01T00:00:00Z", "--reply", "1", "--tokens", "m"),
            "--tokens 'm' is not MODEL:IN:OUT",
        ),
    ):
        assert await parley("price", "schedule", *words) == 2
        assert said in capsys.readouterr().err


async def test_a_statement_is_printed_as_csv_and_json(environment, ledger, capsys):
    await ledger.grant(2 * CREDIT)
    await ledger.charge(CREDIT, CREDIT)
    month = f"{datetime.now(UTC):%Y-%m}"
    words = ("statement", "--tenant", str(ledger.tenant_id), "--month", month)
    assert await parley(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("time,kind,amount,balance,turn_id")
    assert [line.split(",")[1] for line in lines[1:]] == ["opening", "grant", "capture", "closing"]
    assert await parley(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["closing"] == "1"
    assert await parley("statement", "--tenant", str(ledger.tenant_id), "--month", "May") == 2
    assert "write it like 2026-11" in capsys.readouterr().err


async def test_verify_misses_the_reply_of_a_charge_without_one(environment, ledger, capsys):
    await ledger.grant(CREDIT)
    await ledger.charge(CREDIT, CREDIT)
    assert await parley("verify") == 1
    assert "0 accepted replies belong to this charge" in capsys.readouterr().out
