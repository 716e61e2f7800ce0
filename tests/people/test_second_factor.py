"""The second factor: codes that count once, recovery codes, passkeys."""

import time
from uuid import uuid4

import pyotp
import pytest

from app.core.errors import NotFoundError, NotSignedInError, RefusedError, TooManyAttemptsError
from tenants.second_factor import matching_step, qr_svg
from tests.people.authenticator import Authenticator
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio


def later(totp: pyotp.TOTP, steps: int = 1) -> str:
    return totp.generate_otp(int(time.time() // 30) + steps)


async def test_a_code_completes_the_sign_in_with_a_new_token(house: House):
    _, totp, codes = await house.enrol(await house.signed_in())
    assert len(set(codes)) == 10
    opened = await house.sign_in()
    assert opened.awaiting_factor
    done = await house.factor.complete(await house.person(opened), later(totp), device())
    assert await house.find(opened.token) is None
    person = await house.person(done)
    assert (person.second_factor, person.awaiting_factor) == (True, False)


async def test_a_code_counts_once_also_when_it_is_replayed_at_once(house: House):
    enrolled, totp, _ = await house.enrol(await house.signed_in())
    code = later(totp)
    first, second = [await house.person(await house.sign_in()) for _ in range(2)]
    await house.factor.complete(first, code, device())
    with pytest.raises(NotSignedInError):
        await house.factor.complete(second, code, device())
    with pytest.raises(NotSignedInError):  # an older one neither
        await house.factor.complete(second, totp.now(), device())
    assert enrolled.second_factor


async def test_five_wrong_codes_close_the_door_for_a_while(house: House):
    _, totp, _ = await house.enrol(await house.signed_in())
    owing = await house.person(await house.sign_in())
    for _ in range(4):  # enrolling took the first of the five
        with pytest.raises(NotSignedInError):
            await house.factor.complete(owing, "000000", device())
    with pytest.raises(TooManyAttemptsError):
        await house.factor.complete(owing, later(totp), device())


async def test_a_recovery_code_stands_in_once(house: House):
    person, _, codes = await house.enrol(await house.signed_in())
    owing = await house.person(await house.sign_in())
    await house.factor.complete(owing, codes[3].lower(), device())
    assert await house.factor.codes_left(person.user_id) == 9
    again = await house.person(await house.sign_in())
    with pytest.raises(NotSignedInError):
        await house.factor.complete(again, codes[3], device())
    stored = str(await house.rows("select * from recovery_codes"))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


async def test_a_password_reset_does_not_skip_the_factor(house: House):
    await house.enrol(await house.signed_in())
    await house.accounts.ask_reset("ada@example.org", device())
    token = await house.link("ada@example.org")
    await house.accounts.reset_password(token, PASSWORD, device())
    assert (await house.sign_in()).awaiting_factor


async def test_the_seed_is_sealed_and_the_first_code_proves_it(house: House):
    person = await house.signed_in()
    enrolment = await house.factor.enrol(person)
    (row,) = await house.rows("select totp_secret from users")
    assert enrolment.secret.encode() not in bytes(row["totp_secret"])
    assert "<svg" in qr_svg(enrolment.uri)
    with pytest.raises(RefusedError, match="does not fit"):
        await house.factor.confirm(person, "000000", device())
    assert not (await house.sign_in()).awaiting_factor


async def test_enrolling_ends_sessions_that_were_opened_without_it(house: House):
    await house.register()
    old = await house.sign_in()
    await house.enrol(await house.person(await house.sign_in()))
    assert await house.find(old.token) is None


async def test_removing_and_renewing(house: House):
    person, _, codes = await house.enrol(await house.signed_in())
    fresh = await house.factor.renew_codes(person, device())
    assert not set(fresh) & set(codes)
    await house.factor.remove(person, device())
    assert not (await house.sign_in()).awaiting_factor
    assert "second factor was removed" in (await house.mails("ada@example.org"))[-1]


def test_codes_fit_one_step_before_and_after():
    secret, now_s = pyotp.random_base32(), 1_700_000_000.0
    step = int(now_s // 30)
    totp = pyotp.TOTP(secret)
    for off, fits in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        found = matching_step(secret, totp.generate_otp(step + off), now_s=now_s)
        assert (found == step + off) is fits
    assert matching_step(secret, "", now_s=now_s) is None
    assert matching_step(secret, "１２３４５６", now_s=now_s) is None


async def test_a_passkey_signs_in_by_itself(house: House):
    person, key = await house.signed_in(), Authenticator()
    begun = await house.passkeys.begin_adding(person)
    session = await house.passkeys.add(
        person, begun.id, key.create(begun.options), "Laptop", device()
    )
    assert (await house.person(session)).second_factor
    assert [p.name for p in await house.passkeys.all_of(person.user_id)] == ["Laptop"]
    begun = await house.passkeys.begin_sign_in()
    assert "allowCredentials" not in begun.options or '"allowCredentials": []' in begun.options
    session = await house.passkeys.sign_in(begun.id, key.get(begun.options), device())
    found = await house.person(session)
    assert (found.user_id, found.second_factor, found.awaiting_factor) == (
        person.user_id,
        True,
        False,
    )


async def with_passkey(house: House) -> tuple[Authenticator, str]:
    person, key = await house.signed_in(), Authenticator()
    begun = await house.passkeys.begin_adding(person)
    await house.passkeys.add(person, begun.id, key.create(begun.options), "Phone", device())
    return key, str(person.user_id)


@pytest.mark.parametrize(
    "how", ["origin", "unverified", "stranger", "replay", "counter", "foreign"]
)
async def test_a_forged_answer_is_refused(house: House, how: str):
    key, _ = await with_passkey(house)
    begun = await house.passkeys.begin_sign_in()
    answer = key.get(begun.options, count=5)
    if how == "origin":
        answer = key.get(begun.options, origin="https://desk.example.org.evil.example")
    elif how == "unverified":
        answer = key.get(begun.options, verified=False)
    elif how == "stranger":
        answer = Authenticator().get(begun.options)
    elif how == "foreign":
        other = await house.passkeys.begin_sign_in()
        answer = key.get(other.options)
    elif how in {"replay", "counter"}:
        await house.passkeys.sign_in(begun.id, answer, device())
        if how == "counter":  # a copy of the key does not know how far the count is
            begun = await house.passkeys.begin_sign_in()
            answer = key.get(begun.options, count=5)
    with pytest.raises((NotSignedInError, RefusedError)):
        await house.passkeys.sign_in(begun.id, answer, device())


async def test_a_challenge_ends_after_five_minutes_and_belongs_to_one_person(house: House):
    key, _ = await with_passkey(house)
    begun = await house.passkeys.begin_sign_in()
    await house.age("passkey_challenges", 301)
    with pytest.raises(RefusedError, match="too long"):
        await house.passkeys.sign_in(begun.id, key.get(begun.options), device())
    bob = await house.signed_in("bob@example.org", "Bob")
    eve = await house.signed_in("eve@example.org", "Eve")
    begun, fresh = await house.passkeys.begin_adding(bob), Authenticator()
    with pytest.raises(RefusedError):
        await house.passkeys.add(eve, begun.id, fresh.create(begun.options), "x", device())


async def test_a_passkey_is_a_second_factor_and_can_be_removed(house: House):
    key, _ = await with_passkey(house)
    owing = await house.person(await house.sign_in())
    assert owing.awaiting_factor
    begun = await house.passkeys.begin_sign_in()
    done = await house.passkeys.complete(owing, begun.id, key.get(begun.options), device())
    person = await house.person(done)
    with pytest.raises(NotFoundError):
        await house.passkeys.remove(person, uuid4(), device())
    (view,) = await house.passkeys.all_of(person.user_id)
    await house.passkeys.remove(person, view.id, device())
    assert not (await house.sign_in()).awaiting_factor
