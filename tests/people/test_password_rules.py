"""Which passwords are refused, and that length, not signs, is what counts."""

import pytest

from app.core.errors import RefusedError
from app.core.passwords import HashCost, PasswordHasher
from tenants import leaked_passwords
from tenants.password_rules import require_acceptable
from tests.people.house import CHEAP

OWN = ("ada.lovelace@example.org", "Harbour Bakery", "Peñalver Núñez")


@pytest.mark.parametrize(
    "password",
    [
        "password", "Password1", "P@ssw0rd!", "passwort99", "letmein123", "iloveyou2",
        "Sommer2025!", "admin1234", "monkeymonkey", "12345678", "87654321", "qwertzuiop1",
        "asdfghjkl", "1q2w3e4r", "abcdefgh1", "aaaaaaaa", "abcabcabc", "ada.lovelace",
        "turnip2024", "!Elizabeth7", "contraseña123", "Coração2025", "flamengo19",
        "trustno1", "ncc1701d",
        "Lovelace99", "harbourbakery", "Harbour-Bakery-1", "penalver77", "short", "", "x" * 200,
    ],
)  # fmt: skip
def test_refused(password: str):
    with pytest.raises(RefusedError):
        require_acceptable(password, own=OWN)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "7hs bridge owl plum", "Kj8#mPq2", "über den Fluss 3", "gh72kqpz"],
)
def test_accepted(password: str):
    require_acceptable(password, own=OWN)


def test_no_password_of_the_leaks_is_taken():
    for leaked in (p for p in list(leaked_passwords.passwords()) if len(p) >= 8):
        with pytest.raises(RefusedError):
            require_acceptable(leaked)


def test_a_hostile_password_costs_little():
    with pytest.raises(RefusedError):
        require_acceptable("qwertyuiop" * 1_000, own=OWN)


@pytest.mark.anyio
async def test_hashes_are_argon2id_and_renewed_when_the_cost_changes():
    cheap = PasswordHasher(CHEAP)
    stored = await cheap.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await cheap.verify("correct horse", stored)
    assert not await cheap.verify("correct horsf", stored)
    assert not await cheap.verify("nobody signs in with this", None)
    assert not await cheap.verify("x" * 10_000, stored)
    assert not await cheap.verify("x", "no hash at all")
    assert not cheap.is_outdated(stored)
    assert PasswordHasher(HashCost(memory_kib=128, passes=1)).is_outdated(stored)


def test_production_cost_is_above_the_recommended_minimum():
    cost = HashCost()
    assert cost.memory_kib >= 19 * 1024
    assert cost.passes >= 2
