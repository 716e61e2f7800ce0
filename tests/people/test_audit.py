"""The audit trail: searched, exported without running in a spreadsheet, told of every change."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from app.core.errors import RefusedError
from tenants.access import Role
from tenants.api_keys import ApiKeys
from tenants.audit import PAGE_MAX, Search, as_csv, search
from tenants.login_sessions import SignedIn
from tenants.service import Actor, record
from tests.people.house import House, device

pytestmark = pytest.mark.anyio


async def found(house: House, owner: SignedIn, **wanted: object) -> list[str]:
    assert owner.tenant_id is not None
    async with house.database.db.tenant(owner.tenant_id) as connection:
        rows = await search(connection, owner.tenant_id, Search(**wanted))  # type: ignore[arg-type]
    return [row.action for row in rows]


async def test_it_is_searched_by_actor_action_subject_and_time(house: House):
    owner = await house.owner()
    mia = await house.join(owner, "mia@example.org", Role.MANAGER)
    await house.team.change_role(owner, mia.user_id, Role.AGENT, device())
    assert await found(house, owner) == [
        "member.change_role", "member.join", "member.invite", "tenant.create",
    ]  # fmt: skip
    assert await found(house, owner, actor=str(mia.user_id)) == ["member.join"]
    assert await found(house, owner, actor="user", action="tenant.") == ["tenant.create"]
    assert await found(house, owner, subject=str(mia.user_id)) == [
        "member.change_role",
        "member.join",
    ]
    now = datetime.now(UTC)
    assert await found(house, owner, since=now + timedelta(hours=1)) == []
    assert len(await found(house, owner, since=now - timedelta(hours=1), until=now)) <= 4
    with pytest.raises(RefusedError, match="zone"):
        Search(since=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_each_change_tells_before_and_after(house: House):
    owner = await house.owner()
    mia = await house.join(owner, "mia@example.org", Role.MANAGER)
    await house.team.change_role(owner, mia.user_id, Role.AGENT, device())
    keys = ApiKeys(house.database.db)
    key = await keys.create(owner, name="Shop", scopes=["read"], days=None, device=device())
    await keys.revoke(owner, key.id, device())
    rows = await house.rows("select action, before, after, address, request_id from audit_log")
    told = {row["action"]: row for row in rows}
    assert told["member.change_role"]["before"] == {"role": "manager"}
    assert told["member.change_role"]["after"] == {"role": "agent"}
    assert told["api_key.create"]["after"]["scopes"] == ["read"]
    assert {row["address"] for row in rows} <= {"203.0.113.7"}
    assert {row["request_id"] for row in rows} == {"req_test"}
    assert key.text not in str(rows)


async def test_pages_and_csv_hold_every_entry_once(house: House):
    owner = await house.owner()
    tenant_id = owner.tenant_id
    assert tenant_id is not None
    async with house.database.db.system() as connection:
        for n in range(PAGE_MAX + 30):
            await record(
                connection, tenant_id, Actor("system"), action="test.entry", subject=f"=cmd|{n}"
            )
    text = "".join([part async for part in as_csv(house.database.db, tenant_id, Search())])
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0][:3] == ["at", "actor_kind", "actor_id"]
    assert len(lines) == PAGE_MAX + 30 + 1 + 1
    assert len({line[4] for line in lines}) == PAGE_MAX + 30 + 2
    assert all(line[4].startswith("'=") for line in lines if line[3] == "test.entry")
