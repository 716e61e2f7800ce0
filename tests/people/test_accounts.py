"""Sign-up, sign-in, passwords and addresses, as the pages will use them."""

import pytest

from app.core.errors import NotSignedInError, RefusedError, TooManyAttemptsError
from tenants.accounts import WRONG_LOGIN, SignUp
from tenants.login_sessions import StepUpNeededError
from tests.people.house import PASSWORD, House, device

pytestmark = pytest.mark.anyio
ADA = "ada@example.org"
NEW = "nine quiet rivers, one hat"
CHOSEN = "four slow trains by a lake"


def form(**changes: str) -> SignUp:
    values = {"email": ADA, "name": "Ada", "password": PASSWORD, "terms_version": "1"}
    return SignUp(**{**values, **changes})


async def test_from_sign_up_to_sign_in(house: House):
    await house.accounts.register(form(email=" Ada@Example.org "), device())
    with pytest.raises(NotSignedInError):
        await house.sign_in()  # not confirmed yet
    await house.accounts.verify_email(await house.link(ADA), device())
    person = await house.person(await house.sign_in())
    assert (person.email, person.name, person.admin, person.tenant_id) == (ADA, "Ada", False, None)
    user = (await house.rows("select * from users"))[0]
    assert user["password_hash"].startswith("$argon2id$")
    assert user["terms_version"] == "1"
    assert user["terms_at"] is not None


async def test_tokens_and_passwords_are_stored_hashed_only(house: House):
    await house.accounts.register(form(), device())
    token = await house.link(ADA)
    stored = str(await house.rows("select * from users")) + str(
        await house.rows("select * from account_tokens")
    )
    assert token not in stored
    assert PASSWORD not in stored


async def test_a_known_address_gets_the_same_answer_and_another_mail(house: House):
    await house.register()
    before = await house.rows("select password_hash from users")
    await house.accounts.register(form(password=NEW), device())
    assert await house.rows("select password_hash from users") == before
    assert "You have an account already" in (await house.mails(ADA))[-1].replace("\n", " ")


@pytest.mark.parametrize("stranger_first", [True, False])
async def test_an_address_that_two_register_gets_its_password_from_the_mailbox(
    house: House, stranger_first: bool
):
    passwords = (NEW, PASSWORD) if stranger_first else (PASSWORD, NEW)
    await house.accounts.register(form(password=passwords[0]), device())
    stale = await house.link(ADA)
    await house.accounts.register(form(password=passwords[1]), device())
    with pytest.raises(RefusedError, match="no longer valid"):
        await house.accounts.verify_email(stale, device())
    await house.accounts.resend_verification(ADA, device())
    await house.accounts.reset_password(await house.link(ADA), CHOSEN, device())
    await house.accounts.sign_in(ADA, CHOSEN, device())
    for password in passwords:
        with pytest.raises(NotSignedInError):
            await house.accounts.sign_in(ADA, password, device())


@pytest.mark.parametrize("way", ["change", "reset"])
async def test_a_new_password_ends_a_change_of_address_under_way(house: House, way: str):
    person = await house.signed_in()
    await house.email_change.ask(person, "thief@example.org", device())
    link = await house.link("thief@example.org")
    if way == "change":
        await house.accounts.change_password(person, PASSWORD, NEW, device())
    else:
        await house.accounts.ask_reset(ADA, device())
        await house.accounts.reset_password(await house.link(ADA), NEW, device())
    with pytest.raises(RefusedError, match="no longer valid"):
        await house.email_change.take(link, device())
    await house.accounts.sign_in(ADA, NEW, device())


@pytest.mark.parametrize("purpose", ["verify", "reset"])
async def test_links_work_once_and_not_for_ever(house: House, purpose: str):
    await house.accounts.register(form(), device())
    token = await house.link(ADA)
    if purpose == "reset":
        await house.accounts.verify_email(token, device())
        await house.accounts.ask_reset(ADA, device())
        token = await house.link(ADA)

    async def use() -> None:
        if purpose == "verify":
            await house.accounts.verify_email(token, device())
        else:
            await house.accounts.reset_password(token, NEW, device())

    await house.age("account_tokens", 25 * 3600)
    with pytest.raises(RefusedError, match="no longer valid"):
        await use()
    await house.age("account_tokens", -25 * 3600)
    await use()
    with pytest.raises(RefusedError, match="no longer valid"):
        await use()


async def test_all_failures_of_signing_in_sound_alike(house: House):
    await house.register()
    await house.accounts.register(form(email="new@example.org"), device())
    await house.register("gone@example.org")
    await house.execute("update users set disabled_at = now() where email = 'gone@example.org'")
    for email, password in (
        (ADA, "wrong"),
        ("nobody@example.org", PASSWORD),
        ("new@example.org", PASSWORD),
        ("gone@example.org", PASSWORD),
        ("not an address", PASSWORD),
        ("nul\0@example.org", "lone \ud800 surrogate"),
    ):
        with pytest.raises(NotSignedInError) as caught:
            await house.accounts.sign_in(email, password, device(f"192.0.2.{len(email)}"))
        assert str(caught.value) == WRONG_LOGIN
    failures = await house.rows("select * from account_log where action = 'sign_in.failed'")
    assert len(failures) == 6
    assert "example.org" not in str(failures)


async def test_an_address_has_five_tries_and_an_account_ten(house: House):
    await house.register()
    for _ in range(5):
        with pytest.raises(NotSignedInError):
            await house.accounts.sign_in("x@example.org", "wrong", device("192.0.2.1"))
    with pytest.raises(TooManyAttemptsError) as caught:
        await house.accounts.sign_in(ADA, PASSWORD, device("192.0.2.1"))
    assert 1 <= caught.value.retry_after_s <= 300
    for n in range(10):
        with pytest.raises(NotSignedInError):
            await house.accounts.sign_in(ADA, "wrong", device(f"192.0.2.{n + 10}"))
    with pytest.raises(TooManyAttemptsError):
        await house.accounts.sign_in(ADA, PASSWORD, device("192.0.2.99"))


async def test_successes_do_not_use_the_limit_up(house: House):
    await house.register()
    for _ in range(8):
        await house.sign_in()


async def test_a_reset_ends_every_session_and_every_other_link(house: House):
    await house.register()
    sessions = [await house.sign_in() for _ in range(2)]
    await house.accounts.ask_reset(ADA, device())
    first = await house.link(ADA)
    await house.accounts.ask_reset(ADA, device())
    with pytest.raises(RefusedError, match="no longer valid"):
        await house.accounts.reset_password(first, NEW, device())
    await house.accounts.reset_password(await house.link(ADA), NEW, device())
    assert [await house.find(s.token) for s in sessions] == [None, None]
    await house.accounts.sign_in(ADA, NEW, device())
    with pytest.raises(NotSignedInError):
        await house.sign_in()


async def test_asking_for_a_reset_tells_nothing(house: House):
    await house.accounts.ask_reset("nobody@example.org", device())
    assert await house.rows("select id from mails") == []


async def test_changing_the_password_keeps_this_session_with_a_new_token(house: House):
    person = await house.signed_in()
    other = await house.sign_in()
    with pytest.raises(NotSignedInError):
        await house.accounts.change_password(person, "wrong", NEW, device())
    session = await house.accounts.change_password(person, PASSWORD, NEW, device())
    assert await house.find(other.token) is None
    assert (await house.person(session)).session_id == person.session_id
    assert "Your password was changed" in (await house.mails(ADA))[-1]


async def test_the_address_changes_when_the_new_one_is_confirmed(house: House):
    person = await house.signed_in()
    await house.email_change.ask(person, "lovelace@example.org", device())
    assert "a new e-mail address was entered" in (await house.mails(ADA))[-1].replace("\n", " ")
    assert (await house.refreshed(person)).email == ADA
    await house.email_change.take(await house.link("lovelace@example.org"), device())
    assert (await house.refreshed(person)).email == "lovelace@example.org"


async def test_a_taken_address_is_neither_told_nor_taken(house: House):
    await house.register("bob@example.org", "Bob")
    person = await house.signed_in()
    await house.email_change.ask(person, "bob@example.org", device())
    last = (await house.mails("bob@example.org"))[-1]
    assert "change-email" not in last


async def test_changing_the_address_needs_a_recent_proof(house: House):
    await house.register()
    session = await house.sign_in()
    await house.execute(
        "update login_sessions set confirmed_at = confirmed_at - interval '11 minutes'"
    )
    stale = await house.person(session)
    with pytest.raises(StepUpNeededError):
        await house.email_change.ask(stale, "x@example.org", device())
    fresh = await house.person(await house.accounts.confirm(stale, PASSWORD, device()))
    await house.email_change.ask(fresh, "x@example.org", device())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"email": "ada"}, "e-mail"),
        ({"email": "a@b@c.org"}, "e-mail"),
        ({"email": "nul\0@example.org"}, "e-mail"),
        ({"email": "half\ud800@example.org"}, "e-mail"),
        ({"locale": "deutsch"}, "language"),
        ({"name": "  "}, "name"),
        ({"password": "short"}, "8 characters"),
        ({"password": "x" * 129}, "128"),
        ({"terms_version": ""}, "terms"),
    ],
)
async def test_a_form_says_what_is_wrong(house: House, change: dict[str, str], word: str):
    with pytest.raises(RefusedError, match=word):
        await house.accounts.register(form(**change), device())
