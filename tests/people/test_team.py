"""Teams: roles, invitations, and the last owner who cannot leave."""

import asyncio
import itertools

import pytest

from app.core.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from tenants import login_sessions
from tenants.access import PERMISSIONS, Permission, Role, may_grant
from tenants.businesses import Profile
from tests.people.house import House, device, new_business

pytestmark = pytest.mark.anyio


def test_rights_grow_from_agent_to_owner():
    assert PERMISSIONS[Role.AGENT] < PERMISSIONS[Role.MANAGER] < PERMISSIONS[Role.OWNER]
    assert PERMISSIONS[Role.OWNER] == set(Permission)
    assert [(a.value, b.value) for a, b in itertools.product(Role, Role) if may_grant(a, b)] == [
        ("owner", "owner"),
        ("owner", "manager"),
        ("owner", "agent"),
        ("manager", "agent"),
    ]


async def test_a_new_business_has_an_owner_and_consents(house: House):
    owner = await house.owner()
    assert (owner.role, owner.tenant_slug) == (Role.OWNER, "bakery")
    assert len(await house.rows("select 1 from wallets")) == 1
    consents = await house.rows("select kind, version, address, at from consents order by kind")
    assert [(c["kind"], c["version"]) for c in consents] == [
        ("ai_disclosure", "2026-11"),
        ("terms", "2026-11"),
    ]
    (entry,) = await house.rows("select actor_kind, actor_id, address from audit_log")
    assert entry == {"actor_kind": "user", "actor_id": str(owner.user_id), "address": "203.0.113.7"}


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"slug": "bakery"}, ConflictError, "taken"),
        ({"slug": "a"}, RefusedError, "short name"),
        ({"slug": "admin"}, RefusedError, "short name"),
        ({"time_zone": "Mars/Base"}, RefusedError, "time zone"),
        ({"country": "Germany"}, RefusedError, "country"),
        ({"locale": "deutsch"}, RefusedError, "language"),
        ({"terms_version": ""}, RefusedError, "accept"),
        ({"name": " "}, RefusedError, "name"),
    ],
)
async def test_a_business_form_says_what_is_wrong(
    house: House, change: dict[str, str], error: type[Exception], word: str
):
    owner = await house.owner()
    with pytest.raises(error, match=word):
        await house.businesses.create(owner, new_business(**{"slug": "other", **change}), device())


async def test_a_new_business_is_never_given_a_plan_with_a_price(house: House):
    owner = await house.owner()
    await house.execute("update plans set price_minor = price_minor + 100")
    try:
        with pytest.raises(RefusedError, match="plan"):
            await house.businesses.create(owner, new_business("other"), device())
    finally:
        await house.execute("update plans set price_minor = price_minor - 100")


async def test_an_invitation_from_mail_to_membership(house: House):
    owner = await house.owner()
    await house.invitations.invite(owner, "Bob@example.org ", Role.AGENT, device())
    token = await house.link("bob@example.org")
    view = await house.invitations.look(token)
    assert (view.business, view.email, view.role, view.has_account) == (
        "The bakery", "bob@example.org", Role.AGENT, False,
    )  # fmt: skip
    bob = await house.signed_in("bob@example.org", "Bob")
    assert await house.invitations.offered(bob) == "The bakery"
    await house.invitations.accept(bob, token, device())
    assert await house.invitations.offered(bob) is None
    bob = await house.refreshed(bob)
    assert (bob.role, bob.tenant_id) == (Role.AGENT, owner.tenant_id)
    assert [m.email for m in await house.team.members(bob)] == [
        "ada@example.org",
        "bob@example.org",
    ]
    with pytest.raises(NotFoundError):
        await house.invitations.accept(bob, token, device())
    with pytest.raises(ConflictError, match="already"):
        await house.invitations.invite(owner, "bob@example.org", Role.AGENT, device())
    actions = [r["action"] for r in await house.rows("select action from audit_log order by id")]
    assert actions == ["tenant.create", "member.invite", "member.join"]


@pytest.mark.parametrize("end", ["old", "revoked", "replaced", "forwarded"])
async def test_an_invitation_that_does_not_count(house: House, end: str):
    owner = await house.owner()
    invitation = await house.invitations.invite(owner, "bob@example.org", Role.AGENT, device())
    token = await house.link("bob@example.org")
    someone = await house.signed_in(
        "eve@example.org" if end == "forwarded" else "bob@example.org", "Someone"
    )
    if end == "old":
        await house.age("invitations", 7 * 86400 + 1)
    elif end == "revoked":
        await house.invitations.revoke(owner, invitation, device())
    elif end == "replaced":
        await house.invitations.invite(owner, "bob@example.org", Role.AGENT, device())
    with pytest.raises((NotFoundError, ForbiddenError)):
        await house.invitations.accept(someone, token, device())
    offered = "The bakery" if end == "replaced" else None
    assert await house.invitations.offered(someone) == offered
    assert len(await house.team.members(owner)) == 1


async def test_managers_invite_agents_and_agents_nobody(house: House):
    owner = await house.owner()
    manager = await house.join(owner, "mia@example.org", Role.MANAGER)
    agent = await house.join(manager, "bob@example.org", Role.AGENT)
    for person, role in ((manager, Role.OWNER), (manager, Role.MANAGER), (agent, Role.AGENT)):
        with pytest.raises(ForbiddenError):
            await house.invitations.invite(person, "x@example.org", role, device())
    with pytest.raises(ForbiddenError):
        await house.team.change_role(manager, agent.user_id, Role.MANAGER, device())
    with pytest.raises(ForbiddenError):
        await house.team.remove(manager, owner.user_id, device())
    await house.team.remove(manager, agent.user_id, device())
    assert (await house.refreshed(agent)).tenant_id is None


async def test_two_clicks_at_once_leave_one_invitation(house: House):
    owner = await house.owner()
    invite = house.invitations.invite
    await asyncio.gather(
        *(invite(owner, "mia@example.org", Role.AGENT, device()) for _ in range(2))
    )
    assert len(await house.invitations.open(owner)) == 1


@pytest.mark.parametrize("end", ["removed", "manager", "agent"])
async def test_who_loses_rights_leaves_no_open_invitation_behind(house: House, end: str):
    owner = await house.owner()
    other = await house.join(owner, "mia@example.org", Role.OWNER)
    await house.invitations.invite(other, "back@example.org", Role.OWNER, device())
    await house.invitations.invite(other, "help@example.org", Role.AGENT, device())
    await house.invitations.invite(owner, "kept@example.org", Role.OWNER, device())
    if end == "removed":
        await house.team.remove(owner, other.user_id, device())
    else:
        await house.team.change_role(owner, other.user_id, Role(end), device())
    left = {i.email.partition("@")[0] for i in await house.invitations.open(owner)}
    assert left == ({"kept", "help"} if end == "manager" else {"kept"})


async def test_the_last_owner_stays(house: House):
    owner = await house.owner()
    mia = await house.join(owner, "mia@example.org", Role.MANAGER)
    for attempt in (
        house.team.leave(owner, device()),
        house.team.remove(owner, owner.user_id, device()),
        house.team.change_role(owner, owner.user_id, Role.AGENT, device()),
    ):
        with pytest.raises(ConflictError, match="last owner"):
            await attempt
    await house.team.transfer_ownership(owner, mia.user_id, device())
    assert (await house.refreshed(owner)).role is Role.MANAGER
    assert (await house.refreshed(mia)).role is Role.OWNER


async def test_of_two_owners_who_leave_at_once_one_stays(house: House):
    for round_ in range(3):
        owner = await house.owner(f"o{round_}@example.org", f"shop-{round_}")
        other = await house.join(owner, f"p{round_}@example.org", Role.OWNER)
        done = await asyncio.gather(
            house.team.leave(owner, device()),
            house.team.change_role(other, other.user_id, Role.AGENT, device()),
            return_exceptions=True,
        )
        assert sorted(type(d).__name__ for d in done) == ["ConflictError", "NoneType"]
        owners = await house.rows(
            "select 1 from memberships where tenant_id = :t and role = 'owner'", t=owner.tenant_id
        )
        assert len(owners) == 1


async def test_one_person_in_two_businesses_switches(house: House):
    ada = await house.owner()
    bob = await house.owner("bob@example.org", "garage")
    assert ada.tenant_id is not None
    await house.invitations.invite(ada, "bob@example.org", Role.AGENT, device())
    await house.invitations.accept(bob, await house.link("bob@example.org"), device())
    places = await house.businesses.of_person(bob.user_id)
    assert [(p.slug, p.role) for p in places] == [("bakery", Role.AGENT), ("garage", Role.OWNER)]
    bob = await house.refreshed(bob)
    assert bob.role is Role.AGENT
    async with house.database.db.system() as connection:
        await login_sessions.switch(connection, bob.session_id, places[1].id)
    assert (await house.refreshed(bob)).role is Role.OWNER


async def test_foreign_members_and_invitations_are_not_there(house: House):
    mine = await house.owner()
    theirs = await house.owner("bob@example.org", "garage")
    invitation = await house.invitations.invite(theirs, "x@example.org", Role.AGENT, device())
    for attempt in (
        house.team.remove(mine, theirs.user_id, device()),
        house.team.change_role(mine, theirs.user_id, Role.AGENT, device()),
        house.team.transfer_ownership(mine, theirs.user_id, device()),
        house.invitations.revoke(mine, invitation, device()),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert await house.invitations.open(mine) == []


async def test_a_changed_profile_is_told_with_before_and_after(house: House):
    owner = await house.owner()
    profile = Profile(
        name="The bakery", time_zone="UTC", locale="de", country="AT", retention_days=14
    )
    await house.businesses.change(owner, profile, device())
    assert owner.tenant_id is not None
    assert await house.businesses.profile(owner.tenant_id) == profile
    (entry,) = await house.rows(
        "select before, after from audit_log where action = 'business.change'"
    )
    assert entry["before"] == {
        "country": "DE", "locale": "en", "retention_days": 30, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    assert set(entry["after"]) == set(entry["before"])
