import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import channel_key, client_message_id, request_id, secret_token, uuid7
from app.core.observability.privacy import describe, mask, stack
from tests.pace import stretched


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 4915112345678 now", "call [phone] now"),
        ("4915112345678@c.us", "[chat]"),
        ("from:49151123@s.whatsapp.net", "from:[chat]"),
        ("204718293847123@lid", "[chat]"),
        ("4915112345678:12@s.whatsapp.net", "[chat]"),
        ("120363041234567890@g.us", "[chat]"),
        ("false_4915112345678@c.us_3EB0C431C26A1916E07A", "[email]_3EB0C431C26A1916E07A"),
        ("+49 151 1234-5678", "[phone]"),
        ("+1 (555) 010-9999", "[phone]"),
        ("tel4915112345678", "tel[phone]"),
        ("anna.b+x@example.co.uk", "[email]"),
        ("Bearer abc.def-123", "[bearer]"),
        ("authorization: bearer eyJhbGciOi", "authorization: [bearer]"),
        ("pk_live_a1b2c3d4_0123456789abcdef", "[key]"),
        ("sk-proj-abcDEF123456", "[key]"),
        ("sk_test_abcdef123456", "[key]"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8", "[key]"),
        ("redis://user:hunter2@10.0.0.1/0", "redis://[url_login]@10.0.0.1/0"),
    ],
)
def test_personal_data_and_keys_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "12345678-1234-7234-8234-123456789012",
        "req_01234567-1234-7234-8234-123456789012",
        "2026-11-22T21:50:12.123456Z",
        "2026-11-22 21:50:12,123",
        "3EB0C431C26A1916E07A2F",
        "turn 1234567 of 9999999",
        "10.20.30.40",
        "tasks-queue",
        "GET /api/v1/turns",
        'File "/srv/app/core/ids.py", line 1234, in uuid7',
        "",
    ],
)
def test_ids_times_and_small_numbers_stay(text: str) -> None:
    assert mask(text) == text


def test_our_own_ids_stay_and_our_secrets_go() -> None:
    for _ in range(300):
        keep = [request_id(), str(uuid7()), str(uuid.uuid4()), client_message_id(uuid7())]
        assert [mask(k) for k in keep] == keep
        assert mask(f"key {channel_key()}") == "key [key]"
        assert mask(secret_token()) == "[key]"


@given(st.integers(10**7, 10**15 - 1), st.sampled_from(["", "@c.us", "@s.whatsapp.net", "@lid"]))
def test_no_phone_survives(number: int, suffix: str) -> None:
    assert str(number) not in mask(f"x {number}{suffix}, y_{number}{suffix}_z")


@given(st.text(max_size=200))
def test_masking_never_fails_and_settles(text: str) -> None:
    assert isinstance(mask(text), str)


def test_masking_is_linear() -> None:
    import time

    start = time.perf_counter()
    for text in ("1 " * 20_000, "a" * 50_000, "a.b@" * 10_000, "+1 " * 15_000, "1-" * 25_000):
        mask(text)
    took_s = time.perf_counter() - start
    assert took_s < stretched(3)


def test_texts_of_exceptions_are_facts_only() -> None:
    class DriverError(Exception):
        sqlstate = "23505"

    assert describe(DriverError("Key (phone)=(4915112345678)")) == "[withheld] sqlstate=23505"
    assert describe(ConnectionRefusedError(111, "secret")) == "[withheld] errno=111"
    assert describe(AttributeError("'NoneType' object has no attribute 'id'")).endswith("'id'")
    assert describe(KeyError("4915112345678")) == "[withheld]"


def test_a_stack_ends_for_cycles_and_groups() -> None:
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    assert stack(one).count("ValueError") == 2
    group = ExceptionGroup("secret", [KeyError("secret"), TypeError("secret")])
    text = stack(group)
    assert "KeyError" in text
    assert "TypeError" in text
    assert "secret" not in text
