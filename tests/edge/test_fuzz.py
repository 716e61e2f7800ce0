"""Whatever a signed body holds: no 5xx, nothing half written, nothing left waiting."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures import cases
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio
BODIES_PER_EXAMPLE = 10
EXAMPLES = 50
# Values that no JSON writer of Python's would write; put in after serialising.
RAW = {
    "@deep-object@": '{"a":' * 400 + "1" + "}" * 400,
    "@deeper@": "[" * 5_000 + "]" * 5_000,
    "@huge@": "9" * 5_000,
    "@vast@": "1e999",
    "@tiny@": "-0.0e-999",
}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            *RAW,
            "\x00",
            "\ud800",
            "\udfff\ud800",
            "x" * 70_000,
            "é" * 300,
            "message",
            "0@c.us",
            "@lid",
            "4930155501@c.us",
            "false_4930155501@c.us_",
            "true_status@broadcast_A_B_C_D",
            "____",
            10**400,
            -(2**63) - 1,
            2**64,
            1e308,
            [],
            {},
            [None],
            [[[]]],
            {"id": {"_serialized": {"_serialized": []}}},
            {"latitude": [1], "longitude": {"a": 1}},
        ]
    ),
)
DOCUMENTS = st.recursive(
    JUNK,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """One of our fixtures with a few of its fields replaced, dropped or wrapped."""
    body: Any = draw(st.sampled_from(cases.every())).body("@session@")
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(list(_places(body))))
        action = draw(st.sampled_from(["replace", "replace", "drop", "wrap", "copy"]))
        if action == "replace":
            holder[key] = draw(JUNK)
        elif action == "wrap":
            holder[key] = [holder[key]]
        elif action == "copy":
            holder[key] = json.loads(json.dumps(body.get("payload", {})))
        else:
            del holder[key]
        if not body:
            break
    return body


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, dict | list) and inner:
            found += _places(inner)
    return found


@st.composite
def signed_bytes(draw: st.DrawFn) -> str:
    """A body as text; mostly well-formed objects, sometimes cut or scribbled over."""
    kind = draw(st.sampled_from(["mutated"] * 6 + ["object", "document", "damaged"]))
    if kind == "object":
        value: Any = draw(st.dictionaries(st.text(max_size=8), DOCUMENTS, max_size=6))
        value |= {"event": draw(st.sampled_from(["message", "message.ack", "presence.update"]))}
    else:
        value = draw(DOCUMENTS if kind == "document" else mutated())
    text = json.dumps(value, separators=(",", ":"))
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    if kind == "damaged":
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.text(max_size=3)) + text[at + draw(st.integers(0, 3)) :]
    return text


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(texts=st.lists(signed_bytes(), min_size=BODIES_PER_EXAMPLE, max_size=BODIES_PER_EXAMPLE))
async def test_any_signed_body(world: World, api: Api, texts: list[str]) -> None:
    shop = await world.open_shop()
    taken = 0
    for text in texts:
        raw = text.replace("@session@", shop.session).encode("utf-8", "surrogatepass")
        response = await api.deliver(shop, raw)
        assert response.status_code in {200, 400}, response.text
        taken += response.json().get("status") == "accepted"
    await world.drain()
    outcomes = await world.outcomes(shop)
    assert len(outcomes) == taken
    assert "failed" not in outcomes
    await world.assert_whole(shop)
