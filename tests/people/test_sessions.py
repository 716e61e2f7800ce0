"""Sessions: opaque, hashed, rotated, ended by time, by hand and by what happens to the person."""

import hashlib

import pytest

from app.core.errors import NotFoundError, NotSignedInError
from tenants import login_sessions
from tenants.access import Permission
from tenants.devices import summarise
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio


async def test_only_the_hash_of_a_token_is_stored(house: House):
    await house.register()
    session = await house.sign_in()
    (row,) = await house.rows("select * from login_sessions")
    assert row["token_hash"] == hashlib.sha256(session.token.encode()).digest()
    assert session.token not in str(row)
    assert session.token not in repr(session.id)


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "'; drop table users; --"])
async def test_a_token_that_is_none_finds_nobody(house: House, token: str):
    assert await house.find(token) is None


@pytest.mark.parametrize(("hours", "alive"), [(11.9, True), (12.1, False)])
async def test_a_session_ends_after_twelve_idle_hours(house: House, hours: float, alive: bool):
    await house.register()
    session = await house.sign_in()
    await house.execute(
        "update login_sessions set used_at = used_at - make_interval(secs => :s)", s=hours * 3600
    )
    assert (await house.find(session.token) is not None) is alive


async def test_a_session_ends_after_thirty_days_however_busy(house: House):
    await house.register()
    session = await house.sign_in()
    await house.execute("update login_sessions set expires_at = now() - interval '1 second'")
    assert await house.find(session.token) is None
    async with house.database.db.system() as connection:
        assert await login_sessions.prune(connection) == 1
    await house.sign_in()
    (left,) = await house.rows("select expires_at - now() as left from login_sessions")
    assert 29.9 < left["left"].total_seconds() / 86400 <= 30


async def test_a_request_moves_the_idle_time_once_a_minute(house: House):
    await house.register()
    session = await house.sign_in()
    await house.execute("update login_sessions set used_at = now() - interval '2 hours'")
    await house.find(session.token)
    (row,) = await house.rows("select now() - used_at as idle, address from login_sessions")
    assert row["idle"].total_seconds() < 60
    assert row["address"] == "203.0.113.7"


async def test_a_proof_rotates_the_token(house: House):
    await house.register()
    before = await house.sign_in()
    after = await house.accounts.confirm(await house.person(before), PASSWORD, device())
    assert await house.find(before.token) is None
    assert (await house.person(after)).session_id == before.id


async def test_devices_are_listed_and_ended_one_by_one_and_all_at_once(house: House):
    await house.register()
    sessions = [await house.sign_in() for _ in range(3)]
    me = await house.person(sessions[0])
    async with house.database.db.system() as connection:
        views = await login_sessions.devices(connection, me.user_id)
        assert {v.id for v in views} == {s.id for s in sessions}
        assert {v.agent for v in views} == {"Firefox on Linux"}
        await login_sessions.revoke(connection, me.user_id, sessions[1].id)
    assert await house.find(sessions[1].token) is None
    await house.accounts.sign_out_everywhere(me, device(), keep_this=True)
    assert [await house.find(s.token) is None for s in sessions] == [False, True, True]
    await house.accounts.sign_out(me, device())
    assert await house.find(sessions[0].token) is None


async def test_nobody_ends_somebody_elses_session(house: House):
    me = await house.signed_in()
    other = await house.signed_in("bob@example.org", "Bob")
    async with house.database.db.system() as connection:
        with pytest.raises(NotFoundError):
            await login_sessions.revoke(connection, me.user_id, other.session_id)


async def test_a_locked_account_is_out_at_once(house: House):
    await house.register()
    session = await house.sign_in()
    await house.execute("update users set disabled_at = now()")
    assert await house.find(session.token) is None


async def test_without_a_business_nothing_of_one_is_reached(house: House):
    person = await house.signed_in()
    with pytest.raises(NotFoundError):
        person.business(Permission.READ_INBOX)


async def test_a_foreign_business_cannot_be_chosen(house: House):
    theirs = await house.owner("bob@example.org", "theirs")
    mine = await house.owner("ada@example.org", "mine")
    assert theirs.tenant_id is not None
    async with house.database.db.system() as connection:
        with pytest.raises(NotFoundError):
            await login_sessions.switch(connection, mine.session_id, theirs.tenant_id)
    # Whatever the row says: without a membership the business is not there.
    await house.execute(
        "update login_sessions set business_id = :t where id = :s",
        t=theirs.tenant_id,
        s=mine.session_id,
    )
    lost = await house.refreshed(mine)
    assert (lost.tenant_id, lost.tenant_name, lost.role) == (None, None, None)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/2010 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
         "Safari on iPhone"),
        ("", "Unknown browser"),
        ("\x1b[31m<script>", "Unknown browser"),
    ],
)  # fmt: skip
def test_browsers_are_named(agent: str, words: str):
    assert summarise(agent) == words


async def test_a_session_that_owes_its_factor_can_do_nothing_else(house: House):
    person, _, _ = await house.enrol(await house.owner())
    owing = await house.person(await house.sign_in())
    assert owing.awaiting_factor
    for attempt in (
        house.accounts.confirm(owing, PASSWORD, device()),
        house.accounts.change_password(owing, PASSWORD, "nine quiet rivers", device()),
        house.email_change.ask(owing, "x@example.org", device()),
        house.factor.enrol(owing),
        house.factor.remove(owing, device()),
        house.factor.confirm(owing, "123456", device()),
        house.passkeys.begin_adding(owing),
    ):
        with pytest.raises(NotSignedInError):
            await attempt
    with pytest.raises(NotSignedInError):
        owing.business(Permission.READ_INBOX)
    assert person.tenant_id == owing.tenant_id
