"""Which bytes are a JSON object, whatever is in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.json import NotAnObjectError, TooDeepError, decode_object

DEEP = 100_000
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b' \r\n\t{"a":[1,2.5,true,false,null]} ', {"a": [1, 2.5, True, False, None]}),
        (b'{"a":"\\ud83e\\udd50 \xf0\x9f\xa5\x90"}', {"a": "🥐 🥐"}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b'{"a":"\\u0000"}', {"a": "\x00"}),
        (b'{"a":1e400}', {"a": float("inf")}),
        (b'{"a":-1e400}', {"a": float("-inf")}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"":""}', {"": ""}),
    ],
)
def test_an_object(raw: bytes, value: dict[str, object]) -> None:
    assert decode_object(raw) == value


def test_a_number_of_thousands_of_digits_does_not_stop_it() -> None:
    assert decode_object(b'{"a":' + b"7" * 10_000 + b',"b":1}')["b"] == 1


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"a"', b"null", b"true", b"[" * 9 + b"]" * 9])
def test_json_that_is_no_object(raw: bytes) -> None:
    with pytest.raises(NotAnObjectError):
        decode_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":+1}',
        b'{"a":"\t"}',
        b'{"a":"\\q"}',
        b'{"a":"\\u12"}',
        b'{"a":"\xc3\x28"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\x00',
        b'{"a":/**/1}',
    ],
)
def test_what_is_not_json(raw: bytes) -> None:
    with pytest.raises(NotAnObjectError):
        decode_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"a":' + b"[ 1 , " * DEEP + b'"x\\n"' + b" ]" * DEEP + b' , "b" : { } }',
    ],
)
def test_an_object_nested_beyond_reading(raw: bytes) -> None:
    with pytest.raises(TooDeepError):
        decode_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":' * DEEP + b"1" + b"}" * (DEEP - 1),
        b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1),
        b'{"a":' + b"[" * DEEP + b"]" * (DEEP - 1) + b"}}",
        b'{"a":' + b"[" * DEEP + b"}" * DEEP + b"}",
        b'{"a":' + b"[" * DEEP + b"NaN" + b"]" * DEEP + b"}",
        b'{"a":' + b"[" * DEEP + b"1 2" + b"]" * DEEP + b"}",
        b'{"a":' + b"[" * DEEP + b"1," + b"]" * DEEP + b"}",
        b"[" * DEEP + b"]" * DEEP,
    ],
)
def test_deep_bytes_that_are_no_object(raw: bytes) -> None:
    with pytest.raises(NotAnObjectError):
        decode_object(raw)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_whatever_python_writes_is_read(value: dict[str, object], ascii_only: bool) -> None:
    assert decode_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def _refuse(name: str) -> None:
    raise ValueError(name)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0eE+-.\\u tfn', max_size=40))
def test_it_judges_as_python_does(raw: bytes | str) -> None:
    data = raw.encode() if isinstance(raw, str) else raw
    try:
        expected = json.loads(data.decode(), parse_constant=_refuse)
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert decode_object(data) == expected
    else:
        with pytest.raises(NotAnObjectError):
            decode_object(data)


def test_what_is_known_to_be_an_object_is_not_checked_again() -> None:
    deep = b'{"a":' + b"[" * 100_000
    with pytest.raises(NotAnObjectError):
        decode_object(deep)
    with pytest.raises(TooDeepError):
        decode_object(deep, known=True)
