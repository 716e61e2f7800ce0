"""The door's quick look at a body: the same bodies, the same words as the whole decoding."""

import json
import random
from collections.abc import Callable

import pytest

from app.channels.waha.fields import text
from app.channels.waha.parse import Head, parse_head
from app.core.json import NotAnObjectError, TooDeepError, decode_object
from tests.fixtures.waha import WahaSession

DEEP = b"[" * 5_000 + b"]" * 5_000

BODIES = [
    b"{}",
    b"[]",
    b'"text"',
    b"",
    b"{",
    b"{} x",
    b"\xef\xbb\xbf{}",
    b'{"x":"\xff"}',
    b'{"\xff":1}',
    b'{"x":"\xed\xa0\x80"}',
    b'{"x":"\xc0\x80"}',
    b'{"x":"\\ud800"}',
    b'{"x":"\\ud800\\u0041"}',
    b'{"event":"\\ud800","id":"\\u0000"}',
    b'{"x":"\\q"}',
    b'{"x":"\\u12"}',
    b'{"x":"a\x01b"}',
    b'{"x":01}',
    b'{"x":1.}',
    b'{"x":1e}',
    b'{"x":-}',
    b'{"x":NaN}',
    b'{"x":1e999}',
    b'{"x":' + b"9" * 5_000 + b"}",
    b'{"x":[1,]}',
    b'{"x":tru}',
    b'{"id":"first","id":"second"}',
    b'{"ev\\u0065nt":"message"}',
    b'{"event":1,"session":[],"id":{"a":null}}',
    b'{"event":null,"session":"","id":""}',
    b'{"id":' + DEEP + b"}",
    b'{"id":' + DEEP + b"x}",
]


def slowly(raw: bytes) -> Head:
    body = decode_object(raw)
    return Head(
        event=text(body.get("event"), chars_max=64) or "unknown",
        session=text(body.get("session"), chars_max=128),
        body_id=text(body.get("id")),
    )


def outcome(read: Callable[[bytes], Head], raw: bytes) -> object:
    try:
        return read(raw)
    except (NotAnObjectError, TooDeepError) as error:
        return type(error)


@pytest.mark.parametrize("raw", BODIES, ids=range(len(BODIES)))
def test_odd_bodies_read_the_same_either_way(raw: bytes) -> None:
    assert outcome(parse_head, raw) == outcome(slowly, raw)


def test_mutated_bodies_read_the_same_either_way() -> None:
    chance = random.Random(20)
    original = json.dumps(WahaSession().message("wörds"), ensure_ascii=False).encode()
    for _ in range(2_000):
        raw = bytearray(original)
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        assert outcome(parse_head, bytes(raw)) == outcome(slowly, bytes(raw)), bytes(raw)
