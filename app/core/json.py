"""JSON from outside: any well-formed object, however odd, and nothing else.

The fast decoder refuses lone surrogates, numbers beyond a double and deep nesting, all of
which are legal JSON that a signed webhook may carry; those go through slower paths, so that
only what is not JSON is refused.
"""

import json
import re
from typing import Any, NoReturn

import msgspec

_DIGITS_MAX = 300  # longer integers become floats: nothing here counts that far


class NotAnObjectError(ValueError):
    """The bytes are not a JSON object in UTF-8; the message says why."""


class TooDeepError(ValueError):
    """A well-formed object that nests deeper than it can be decoded."""


def decode_object(raw: bytes, *, known: bool = False) -> dict[str, Any]:
    """Decode a JSON object.

    Args:
        raw: the object's bytes.
        known: it was found to be an object before. Of what nests too deeply the grammar is not
            checked again, which takes a second for a megabyte.

    Raises:
        NotAnObjectError: not UTF-8, not JSON, or JSON of another type.
        TooDeepError: an object, but nested beyond the interpreter's recursion limit.
    """
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _decode_slowly(raw, known=known)
    if not isinstance(value, dict):
        raise NotAnObjectError("the body is JSON, but not an object")
    return value


def _decode_slowly(raw: bytes, *, known: bool) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAnObjectError(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        return json.loads(text, parse_int=_integer, parse_constant=_refuse_constant)
    except RecursionError:
        if not known:
            _check_grammar(text)
        raise TooDeepError("the body nests too deeply to be read") from None
    except ValueError as error:
        raise NotAnObjectError(f"the body is not JSON: {error}") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_MAX else float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
    r"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null"
)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')


def _check_grammar(text: str) -> None:
    """Check JSON's grammar (RFC 8259) without recursion; raise NotAnObjectError."""
    closers: list[str] = []
    position = _skip(text, 0)
    if text[position : position + 1] != "{":
        raise NotAnObjectError("the body is JSON, but not an object")
    while True:
        position, opened = _value(text, position, closers)
        if opened:
            continue
        position = _after_value(text, position, closers)
        if not closers:
            break
    if position != len(text):
        raise NotAnObjectError("the body is not JSON: text after the object")


def _value(text: str, position: int, closers: list[str]) -> tuple[int, bool]:
    """Read a scalar, or open an object or array that is not empty."""
    character = text[position : position + 1]
    if character in {"{", "["}:
        closer = "}" if character == "{" else "]"
        position = _skip(text, position + 1)
        if text[position : position + 1] == closer:
            return _skip(text, position + 1), False
        closers.append(closer)
        return (_key(text, position) if closer == "}" else position), True
    match = _SCALAR.match(text, position)
    if match is None:
        raise NotAnObjectError(f"the body is not JSON: a value is missing (char {position})")
    return _skip(text, match.end()), False


def _after_value(text: str, position: int, closers: list[str]) -> int:
    """Close what ends here; stop before the next value of what goes on."""
    while closers:
        character = text[position : position + 1]
        position = _skip(text, position + 1)
        if character == closers[-1]:
            closers.pop()
        elif character == ",":
            return _key(text, position) if closers[-1] == "}" else position
        else:
            raise NotAnObjectError(f"the body is not JSON: , or {closers[-1]} is missing")
    return position


def _key(text: str, position: int) -> int:
    match = _STRING.match(text, position)
    if match is None:
        raise NotAnObjectError(f"the body is not JSON: a key is missing (char {position})")
    position = _skip(text, match.end())
    if text[position : position + 1] != ":":
        raise NotAnObjectError(f"the body is not JSON: a colon is missing (char {position})")
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
