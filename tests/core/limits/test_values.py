from dataclasses import replace

import pytest

from app.core.config import Limits
from app.core.limits import policies
from app.core.limits.local import LocalLimiter
from app.core.limits.script import gcra_script
from app.core.limits.subjects import hash_address, hash_subject
from app.core.limits.types import Check, Fallback, Policy, verify_decision

KEY = "first-key,second-key"


@pytest.mark.parametrize(
    "address",
    ["203.0.113.9", "2001:db8::1", "+4915112345678", "4915112345678", "4915112345678@c.us", "a b"],
)
def test_an_address_cannot_be_a_subject(address: str) -> None:
    with pytest.raises(ValueError, match="never an address"):
        Check(policies.HOOK, address)


def test_hashed_subjects_are_keyed_and_fit_a_key() -> None:
    subject = hash_address(KEY, "203.0.113.9")
    assert Check(policies.HOOK_BAD, subject).bucket == f"rl:{{{subject}}}:hook_bad"
    assert subject == hash_address("first-key", "203.0.113.9")
    assert subject != hash_address("second-key", "203.0.113.9")
    assert hash_subject(KEY, "email", "a@example.org") != hash_subject(KEY, "x", "a@example.org")
    assert len(subject) == len("ip_") + 32


def test_one_ipv6_site_is_one_subject_and_mapped_ipv4_is_ipv4() -> None:
    assert hash_address(KEY, "2001:db8:1:2::1") == hash_address(KEY, "2001:db8:1:2:ffff::9")
    assert hash_address(KEY, "2001:db8:1:2::1") != hash_address(KEY, "2001:db8:1:3::1")
    assert hash_address(KEY, "::ffff:203.0.113.9") == hash_address(KEY, "203.0.113.9")
    assert hash_address(KEY, "fe80::1%eth0") == hash_address(KEY, "fe80::1")
    assert hash_address(KEY, "") == hash_address(KEY, "")


def test_a_decision_names_each_bucket_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        verify_decision([Check(policies.HOOK, "t-1"), Check(policies.HOOK, "t-1")])
    with pytest.raises(ValueError, match="at least one"):
        verify_decision([])
    verify_decision([Check(policies.HOOK, "t-1"), Check(policies.HOOK, "t-2")])


@pytest.mark.parametrize("figures", [(0, 60, 1), (1, 0, 1), (1, 60, 0)])
def test_a_policy_has_positive_figures(figures: tuple[int, float, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Policy("p", *figures)


def test_the_policies_of_the_design() -> None:
    assert (policies.HOOK.limit, policies.HOOK.per_s, policies.HOOK.burst) == (1_200, 60, 300)
    assert policies.hook(Limits()) == policies.HOOK
    assert policies.hook_bad(Limits()) == policies.HOOK_BAD
    assert policies.hook(Limits(hook_per_min=10, hook_burst=2)).burst == 2
    assert (policies.TURN.limit, policies.TURN.burst) == (60, 20)
    assert policies.for_plan(policies.TURN, limit=120).burst == 20
    assert len({p.name for p in policies.ALL}) == len(policies.ALL)
    assert Policy("p", limit=7, per_s=60, burst=1).unit_us == 8_571_429


def test_only_upstash_gets_the_shebang() -> None:
    plain, upstash = gcra_script(), gcra_script(upstash=True)
    assert upstash.text == "#!lua flags=allow-key-locking\n" + plain.text
    assert plain.sha != upstash.sha
    assert "#!" not in plain.text


def test_in_memory_too_all_policies_admit_or_none_counts() -> None:
    now_s = 1000.0
    limiter = LocalLimiter(clock=lambda: now_s)
    wide = Check(Policy("wide", limit=60, per_s=60, burst=8), "s")
    slow = Check(Policy("slow", limit=6, per_s=60, burst=1), "s")
    for _ in range(3):
        limiter.decide([wide, slow], Fallback.LOCAL)
    left = limiter.decide([replace(wide, cost=0)], Fallback.LOCAL).remaining
    assert left == 9  # of 1.25 × 8, one was taken
