"""Bodies that a signature may hold: our fixtures with fields spoilt, and what is no event at all.

Drawn from a seed: the same number names the same body.
"""

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.fixtures import cases

SESSION = "@session@"
LONG_EVERY = 400
# Values that no JSON writer of Python's would write; put in after serialising.
RAW = {
    "@deep-object@": '{"a":' * 400 + "1" + "}" * 400,
    "@deeper@": "[" * 5_000 + "]" * 5_000,
    "@huge@": "9" * 5_000,
    "@vast@": "1e999",
    "@tiny@": "-0.0e-999",
}
# One of each type first: every field meets them.
TYPES: tuple[Any, ...] = (None, True, 7, -1.5, "x", "", [], {}, [None], {"id": "x"})
JUNK: tuple[Any, ...] = (
    *TYPES,
    *RAW,
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\U0001f950\u2028\u200f",
    "x" * 70_000,
    "é" * 300,
    "message",
    "0@c.us",
    "@lid",
    "4930155501@c.us",
    "4930155501:99@s.whatsapp.net",
    "false_4930155501@c.us_",
    "true_status@broadcast_A_B_C_D",
    "____",
    10**400,
    -(2**63) - 1,
    2**64,
    1e308,
    -0.0,
    [[[]]],
    {"id": {"_serialized": {"_serialized": []}}},
    {"latitude": [1], "longitude": {"a": 1}},
)


def bodies(count: int, seed: int = 1) -> Iterator[bytes]:
    """Return so many bodies; the session's name stands in them as ``SESSION``."""
    rng = random.Random(seed)
    spoilt = _spoilt(rng)
    for number in range(count):
        if number % LONG_EVERY == LONG_EVERY - 1:
            yield _written({"event": "message", "id": str(number), "payload": "y" * 1_000_000})
        elif number % 2:
            yield _written(next(spoilt))
        else:
            yield _drawn(rng)


def _spoilt(rng: random.Random) -> Iterator[Any]:
    """Fixtures with one field of another type: each field of each kind of event in turn."""
    while True:
        places = [*_places()]
        rng.shuffle(places)
        for case, path in places:
            body = case.body(SESSION)
            holder: Any = body
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = _junk(rng, TYPES if rng.random() < 0.5 else JUNK)
            yield body


@cache
def _places() -> tuple[tuple[cases.Case, tuple[Any, ...]], ...]:
    """Every path of every kind of event, once for each engine that sends it."""
    found: dict[tuple[Any, ...], tuple[cases.Case, tuple[Any, ...]]] = {}
    for case in cases.every():
        body = case.body(SESSION)
        for path in _paths(body):
            found.setdefault((case.engine, body["event"], path), (case, path))
    return tuple(found.values())


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (key,)
        if isinstance(inner, dict | list):
            yield from ((key, *path) for path in _paths(inner))


def _drawn(rng: random.Random) -> bytes:
    kind = rng.choice(("mutated", "mutated", "mutated", "object", "document", "damaged"))
    if kind == "object":
        value = {rng.choice(("id", "payload", "me", "é", "")): _document(rng) for _ in range(4)}
        value["event"] = rng.choice(("message", "message.ack", "presence.update"))
        return _written(value)
    if kind == "document":
        return _written(_document(rng))
    text = _written(_mutated(rng))
    if kind == "damaged":
        at = rng.randrange(len(text))
        return text[:at] + rng.randbytes(rng.randint(0, 3)) + text[at + rng.randint(0, 3) :]
    return text


def _mutated(rng: random.Random) -> Any:
    """A fixture with a few of its fields replaced, dropped, wrapped or copied elsewhere."""
    body: Any = rng.choice(cases.every()).body(SESSION)
    for _ in range(rng.randint(1, 4)):
        paths = [*_paths(body)]
        if not paths:
            break
        path = rng.choice(paths)
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        action = rng.choice(("replace", "replace", "drop", "wrap", "copy"))
        if action == "replace":
            holder[path[-1]] = _junk(rng)
        elif action == "wrap":
            holder[path[-1]] = [holder[path[-1]]]
        elif action == "copy":
            holder[path[-1]] = json.loads(json.dumps(body.get("payload", {})))
        else:
            del holder[path[-1]]
    return body


def _document(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.choice(("value", "value", "list", "object")) if depth else "value"
    if kind == "list":
        return [_document(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if kind == "object":
        return {str(rng.random()): _document(rng, depth - 1) for _ in range(rng.randint(0, 4))}
    return _junk(rng)


def _junk(rng: random.Random, among: tuple[Any, ...] = JUNK) -> Any:
    return copy.deepcopy(rng.choice(among))  # a body is spoilt further in place


def _written(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"))
    for name, raw in RAW.items():
        if name in text:
            text = text.replace(f'"{name}"', raw)
    return text.encode("utf-8", "surrogatepass")
