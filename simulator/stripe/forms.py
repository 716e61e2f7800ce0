"""Stripe's request bodies: form-encoded, with brackets for what lies inside."""

import re
from typing import Any
from urllib.parse import parse_qsl

_PARTS = re.compile(r"\[([^\]]*)\]")


def parse_form(raw: bytes) -> dict[str, Any]:
    """Read `a[b][0][c]=1` as `{"a": {"b": [{"c": "1"}]}}`; values stay texts."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True):
        head, _, _ = name.partition("[")
        _put(found, [head, *_PARTS.findall(name)], value)
    return {key: _lists(value) for key, value in found.items()}


def flag(value: Any) -> bool:
    """A boolean as forms spell it."""
    return value in {True, "true", "True", "1"}


def _put(into: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for part in parents:
        into = into.setdefault(part, {})
    into[last or str(len(into))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
