"""API keys: shown once, stored hashed, narrow, and worthless once revoked or expired."""

import pytest

from app.core.errors import ForbiddenError, NotFoundError, NotSignedInError, RefusedError
from app.core.ids import uuid7
from tenants.access import Role
from tenants.api_keys import ApiKeys, format_key, new_key, parse_key
from tenants.login_sessions import StepUpNeededError
from tests.people.house import House, device

pytestmark = pytest.mark.anyio


async def made(house: House, **changes: object):
    owner = await house.owner()
    keys = ApiKeys(house.database.db)
    terms = {"name": "Shop", "scopes": ["read"], "days": 30, **changes}
    return owner, keys, await keys.create(owner, device=device(), **terms)  # type: ignore[arg-type]


async def test_a_key_stands_for_its_business(house: House):
    owner, keys, key = await made(house)
    caller = await keys.check(key.text)
    assert (caller.tenant_id, caller.key_id, caller.name) == (owner.tenant_id, key.id, "Shop")
    caller.require("read")
    with pytest.raises(ForbiddenError, match="write"):
        caller.require("write")
    (view,) = await keys.all_of(owner)
    assert view.last_used_at is not None
    secret = parse_key(key.text)
    assert secret is not None
    assert secret[1] not in str(await house.rows("select * from api_keys"))
    assert secret[1] not in repr(key)


@pytest.mark.parametrize("end", ["revoked", "expired", "closed"])
async def test_a_key_that_ended_is_as_unknown_as_any(house: House, end: str):
    owner, keys, key = await made(house)
    if end == "revoked":
        await keys.revoke(owner, key.id, device())
    elif end == "expired":
        await house.age("api_keys", 31 * 86400)
    else:
        await house.execute("update tenants set status = 'closed'")
    messages = set()
    for text in (key.text, format_key(*new_key()), "", "pk_live_x", key.text[:-1] + "!"):
        with pytest.raises(NotSignedInError) as caught:
            await keys.check(text)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_mistyped_key_is_refused_without_a_look_up():
    key = format_key(*new_key())
    assert parse_key(key) is not None
    for place in range(len("pk_live_"), len(key)):
        other = "A" if key[place] != "A" else "B"
        assert parse_key(key[:place] + other + key[place + 1 :]) is None
    assert len({format_key(*new_key()) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "terms", [{"scopes": []}, {"scopes": ["root"]}, {"days": 0}, {"days": 9999}, {"name": ""}]
)
async def test_a_form_says_what_is_wrong(house: House, terms: dict[str, object]):
    with pytest.raises(RefusedError):
        await made(house, **terms)


async def test_only_owners_with_a_recent_proof_make_keys(house: House):
    owner = await house.owner()
    manager = await house.join(owner, "mia@example.org", Role.MANAGER)
    keys = ApiKeys(house.database.db)
    with pytest.raises(ForbiddenError):
        await keys.create(manager, name="x", scopes=["read"], days=1, device=device())
    session = await house.sign_in()
    await house.execute("update login_sessions set confirmed_at = now() - interval '11 minutes'")
    with pytest.raises(StepUpNeededError):
        await keys.create(
            await house.person(session), name="x", scopes=["read"], days=1, device=device()
        )


async def test_foreign_keys_are_not_there(house: House):
    _, keys, key = await made(house)
    other = await house.owner("bob@example.org", "garage")
    for key_id in (key.id, uuid7()):
        with pytest.raises(NotFoundError):
            await keys.revoke(other, key_id, device())
    assert await keys.all_of(other) == []
    await keys.check(key.text)
