"""Platform admins: a second factor always, acting for a business openly and narrowly."""

import ipaddress

import pytest

from app.core.errors import ForbiddenError, NotFoundError, RefusedError
from tenants.access import IMPERSONATION, Permission, Role
from tenants.deny_list import Denied, DenyList, entry
from tenants.login_sessions import SignedIn
from tenants.service import Actor
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio
REASON = "the owner asked for help with a channel"


async def acting(house: House, minutes: int = 30) -> tuple[SignedIn, SignedIn]:
    owner = await house.owner()
    admin = await house.admin()
    assert owner.tenant_id is not None
    session, _ = await house.admins.impersonate(
        admin, owner.tenant_id, reason=REASON, minutes=minutes, device=device()
    )
    return owner, await house.person(session)


async def test_an_admin_without_a_second_factor_is_none(house: House):
    made = await house.admins.create("root@example.org", "Root", "ada", send=True)
    assert made.token in (await house.mails("root@example.org"))[-1]
    await house.accounts.reset_password(made.token, PASSWORD, device())
    person = await house.person(await house.sign_in("root@example.org"))
    assert (person.admin, person.must_enrol) == (False, True)
    with pytest.raises(NotFoundError):
        person.require_admin()
    enrolled, _, _ = await house.enrol(person)
    assert (enrolled.admin, enrolled.must_enrol) == (True, False)
    with pytest.raises(RefusedError, match="needs a second factor"):
        await house.factor.remove(enrolled, device())


async def test_becoming_an_admin_ends_sessions_and_is_logged(house: House):
    await house.register()
    old = await house.sign_in()
    made = await house.admins.create("ada@example.org", "x", "operator", send=False)
    assert not made.created
    assert await house.find(old.token) is None
    rows = await house.rows(
        "select actor_kind, actor_id from account_log where action = 'admin.create'"
    )
    assert rows == [{"actor_kind": "operator", "actor_id": "operator"}]


async def test_acting_for_a_business_is_told_to_it(house: House):
    owner, admin = await acting(house)
    assert admin.impersonating
    assert (admin.tenant_id, admin.role) == (owner.tenant_id, None)
    (entry_,) = await house.rows("select * from audit_log where action = 'impersonation.start'")
    assert entry_["reason"] == REASON
    assert (entry_["actor_kind"], entry_["actor_id"]) == ("admin", str(admin.user_id))
    await house.admins.stop_impersonating(admin, device())
    after = await house.refreshed(admin)
    assert (after.impersonating, after.tenant_id) == (False, None)


async def test_choosing_a_business_of_ones_own_ends_acting(house: House):
    owner, admin = await acting(house)
    await house.invitations.invite(owner, admin.email, Role.AGENT, device())
    await house.invitations.accept(admin, await house.link(admin.email), device())
    after = await house.refreshed(admin)
    assert (after.impersonating, after.role) == (False, Role.AGENT)


async def test_acting_shows_no_secret_and_takes_nothing_away(house: House):
    _, admin = await acting(house)
    assert admin.business(Permission.READ_INBOX)
    for permission in set(Permission) - IMPERSONATION:
        with pytest.raises(ForbiddenError):
            admin.business(permission)
    for forbidden in ("READ_SECRETS", "EDIT_API_KEYS", "ANSWER", "EDIT_TEAM", "CLOSE_BUSINESS"):
        assert Permission[forbidden] not in IMPERSONATION


async def test_acting_ends_by_itself(house: House):
    _, admin = await acting(house, minutes=60)
    await house.execute(
        "update login_sessions set impersonation_until = now() - interval '1 second'"
        " where impersonation_until is not null"
    )
    late = await house.refreshed(admin)
    assert (late.impersonating, late.tenant_id) == (False, None)


@pytest.mark.parametrize(
    ("reason", "minutes"), [("", 30), ("help", 30), (REASON, 61), (REASON, 0), ("x" * 501, 5)]
)
async def test_acting_needs_a_reason_and_an_end(house: House, reason: str, minutes: int):
    owner = await house.owner()
    admin = await house.admin()
    assert owner.tenant_id is not None
    with pytest.raises(RefusedError):
        await house.admins.impersonate(
            admin, owner.tenant_id, reason=reason, minutes=minutes, device=device()
        )


async def test_admin_work_does_not_exist_for_others(house: House):
    owner = await house.owner()
    assert owner.tenant_id is not None
    deny = DenyList(house.database.db)
    for attempt in (
        house.admins.impersonate(owner, owner.tenant_id, reason=REASON, minutes=5, device=device()),
        house.admins.disable(owner, owner.user_id, disabled=True, reason="x", device=device()),
        deny.replace(owner, [], reason="x", device=device()),
    ):
        with pytest.raises(NotFoundError):
            await attempt


async def test_a_locked_account_and_a_suspended_business(house: House):
    owner = await house.owner()
    session = await house.sign_in()
    admin = await house.admin()
    assert owner.tenant_id is not None
    actor = Actor("operator", "ada")
    await house.admins.set_status(owner.tenant_id, status="suspended", reason="x", actor=actor)
    assert (await house.person(session)).tenant_status == "suspended"
    await house.admins.disable(
        admin, owner.user_id, disabled=True, reason="stolen", device=device()
    )
    assert await house.find(session.token) is None
    with pytest.raises(RefusedError):
        await house.admins.set_status(owner.tenant_id, status="closed", reason="x", actor=actor)


async def test_the_deny_list_shuts_networks_out(house: House):
    admin = await house.admin()
    deny = DenyList(house.database.db)
    assert not await deny.holds("192.0.2.9")
    await deny.replace(
        admin,
        [entry("192.0.2.0/24", "scraper"), entry("2001:db8::/32", "")],
        reason="floods",
        device=device(),
    )
    for address, held in (
        ("192.0.2.9", True),
        ("::ffff:192.0.2.9", True),
        ("2001:db8:1::5", True),
        ("198.51.100.1", False),
        ("not an address", False),
        ("", False),
    ):
        assert await deny.holds(address) is held, address
    (logged,) = await house.rows(
        "select reason from account_log where action = 'deny_list.replace'"
    )
    assert logged["reason"] == "floods"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "203.0.113.0/24", "::/0"])
async def test_nobody_shuts_out_everybody_or_themselves(house: House, network: str):
    admin = await house.admin()
    with pytest.raises(RefusedError):
        await DenyList(house.database.db).replace(
            admin, [Denied(ipaddress.ip_network(network), "")], reason="x", device=device()
        )
    with pytest.raises(RefusedError, match="network"):
        entry("nonsense", "")
