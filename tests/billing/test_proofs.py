"""The nightly proof: once a night, on record for tenants and admins, and a stop when it fails."""

from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from billing import proofs
from tests.billing.ledger import CREDIT, Ledger
from workers.scheduler import proving, upkeep

pytestmark = pytest.mark.anyio


@pytest.fixture
async def superuser(database):
    connection = await asyncpg.connect(database.superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


async def days_pass(superuser, days: int = 1) -> None:
    """Move what was there into the past: tenants, and the nights that were proved."""
    await superuser.execute(
        f"update tenants set created_at = created_at - interval '{days} days';"
        f"update ledger_proofs set night = night - {days}, ran_at = ran_at - interval '{days} days'"
    )


async def run(ledger: Ledger) -> int:
    async with ledger.db.system() as connection:
        return await proving.prove_tonight(connection)


async def proved(ledger: Ledger) -> list[proofs.ProofRecord]:
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        return await proofs.of_tenant(connection, ledger.tenant_id)


async def test_a_tenant_is_proved_once_a_night_whoever_leads(ledger, superuser):
    await ledger.grant(3 * CREDIT)
    await ledger.hold(ledger.holding(CREDIT))
    await days_pass(superuser)
    assert [await run(ledger), await run(ledger)] == [1, 0]
    (record,) = await proved(ledger)
    assert record.holds_true
    assert record.figures["entries"] == 2
    assert (record.figures["available"], record.figures["held"]) == ("2", "1")
    assert record.figures["head_hash"]
    await days_pass(superuser)
    assert await run(ledger) == 1
    assert [r.night for r in await proved(ledger)] == [record.night, record.night - timedelta(1)]


async def test_two_leaders_at_once_leave_one_record(ledger, superuser):
    await days_pass(superuser)
    proof = await ledger.proof()
    async with ledger.db.system() as one, ledger.db.system() as other:
        assert await proofs.due(one, tenants_max=9) == await proofs.due(other, tenants_max=9)
        assert await proofs.keep(one, proof)
        await one.commit()
        assert not await proofs.keep(other, proof)
    assert len(await proved(ledger)) == 1


async def test_a_new_tenant_waits_for_its_first_night(ledger):
    assert await run(ledger) == 0


async def test_the_chore_is_on_the_schedule(settings):
    assert "prove_tonight" in {chore.name for chore in upkeep.chores(settings)}


async def test_a_broken_ledger_is_frozen_kept_and_reported(ledger, superuser, monkeypatch):
    await ledger.grant(3 * CREDIT)
    other = await Ledger.with_tenant(ledger.db)
    await other.grant(CREDIT)
    await days_pass(superuser)
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute(
        "update journal set facts = '{}' where tenant_id = $1", ledger.tenant_id
    )
    reported = []
    monkeypatch.setattr(proving, "capture", lambda error, **tags: reported.append((error, tags)))
    assert await run(ledger) == 2
    assert await ledger.hold(ledger.holding(CREDIT)) == "blocked"
    assert await other.hold(other.holding(CREDIT)) == "held"
    (record,) = await proved(ledger)
    assert not record.holds_true
    assert {(f["table"], f["invariant"]) for f in record.findings} == {
        ("credit_lots", 11),
        ("journal", 12),
    }
    ((error, tags),) = reported
    assert str(error) == "invariants [11, 12]"
    assert tags == {"tenant_id": ledger.tenant_id, "final": True}
    async with ledger.db.system() as connection:
        assert [r.tenant_id for r in await proofs.broken(connection)] == [ledger.tenant_id]
        (night,) = await proofs.nights(connection)
    assert (night.tenants, night.broken, night.entries) == (2, 1, 2)


async def test_a_proof_that_fails_keeps_no_other_tenant_waiting(ledger, superuser, monkeypatch):
    other = await Ledger.with_tenant(ledger.db)
    await days_pass(superuser)
    verify, reported = proving.verify_tenant, []

    async def fails_for_one(connection, tenant_id, **how):
        if tenant_id == ledger.tenant_id:
            await connection.execute(text("select 9223372036854775807 + 1"))
        return await verify(connection, tenant_id, **how)

    monkeypatch.setattr(proving, "verify_tenant", fails_for_one)
    monkeypatch.setattr(proving, "capture", lambda _, **tags: reported.append(tags))
    assert await run(ledger) == 1
    assert reported == [{"tenant_id": ledger.tenant_id, "final": True}]
    assert await proved(ledger) == []
    assert len(await proved(other)) == 1


async def test_a_tenant_reads_its_own_proofs_only(ledger, superuser):
    other = await Ledger.with_tenant(ledger.db)
    await days_pass(superuser)
    await run(ledger)
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        assert await proofs.of_tenant(connection, other.tenant_id) == []
        assert len(await proofs.of_tenant(connection, ledger.tenant_id)) == 1
