"""Puts a result into any JSON schema: by the names of properties, else by their types."""

from typing import Any

import msgspec

from simulator.model.result import Result

_REPLY_NAMES = ("reply", "answer", "text", "message", "response", "content", "output", "summary")
_ACTION_NAMES = ("action", "decision", "next_step", "outcome", "disposition", "type")
_REASON_NAMES = ("reason_code", "reason", "handover_reason", "cause")
_SOURCE_NAMES = ("used_sources", "sources", "citations", "source_ids", "passages")
_HANDOVER_NAMES = ("handover", "hand_over", "handoff", "escalate", "needs_human", "transfer")
_HANDOVER_VALUES = ("handover", "hand_over", "handoff", "escalate", "transfer", "human")
_ANSWER_VALUES = ("answer", "reply", "respond", "send", "none")
_DEPTH_MAX = 12


def fit(schema: dict[str, Any], result: Result) -> Any:
    """A value that fits a JSON schema and says what the result says."""
    return _value(schema, result, "", schema, 0)


def fit_json(schema: dict[str, Any], result: Result) -> str:
    """The fitting value as JSON text."""
    return msgspec.json.encode(fit(schema, result)).decode()


def plain_object(result: Result) -> dict[str, Any]:
    """The result as an object, for a request that asks for JSON without a schema."""
    return {
        "reply": result.reply,
        "action": result.action,
        "reason_code": result.reason_code,
        "used_sources": list(result.used_sources),
    }


def _value(  # noqa: PLR0911 - one return for each kind of schema
    schema: dict[str, Any], result: Result, name: str, root: dict[str, Any], depth: int
) -> Any:
    schema, nullable = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _choice(schema["enum"], result, name, nullable=nullable)
    kind = schema.get("type")
    if isinstance(kind, list):
        nullable = nullable or "null" in kind
        kind = next((k for k in kind if k != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        if depth > _DEPTH_MAX:
            return {}
        return {key: _value(part, result, key, root, depth + 1) for key, part in properties.items()}
    if kind == "array":
        return _array(schema, result, name, root, depth)
    if kind == "boolean":
        return name in _HANDOVER_NAMES and result.hands_over
    if kind in {"number", "integer"}:
        return None if nullable else _number(schema, kind)
    if kind == "string":
        return _string(result, name, nullable=nullable)
    return None


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Follow references and alternatives to one plain schema; also whether null fits."""
    nullable = False
    for _ in range(_DEPTH_MAX):
        if "$ref" in schema:
            target: Any = root
            for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                target = target.get(part, {}) if part else target
            schema = target
        elif alternatives := schema.get("anyOf") or schema.get("oneOf"):
            nullable = nullable or any(a.get("type") == "null" for a in alternatives)
            schema = next((a for a in alternatives if a.get("type") != "null"), {"type": "null"})
        elif schema.get("allOf"):
            schema = {k: v for part in schema["allOf"] for k, v in part.items()}
        else:
            break
    return schema, nullable


def _choice(values: list[Any], result: Result, name: str, *, nullable: bool) -> Any:
    nullable = nullable or None in values
    if name in _REASON_NAMES:
        if result.reason_code in values:
            return result.reason_code
        if nullable:
            return None
    wanted = _HANDOVER_VALUES if result.hands_over else _ANSWER_VALUES
    for value in (result.action, *wanted):
        if value in values:
            return value
    if nullable and name not in _ACTION_NAMES:
        return None
    return next(value for value in values if value is not None)


def _array(
    schema: dict[str, Any], result: Result, name: str, root: dict[str, Any], depth: int
) -> list[Any]:
    items: dict[str, Any] = schema.get("items") or {}
    if name in _SOURCE_NAMES and _resolve(items, root)[0].get("type", "string") == "string":
        return list(result.used_sources)
    if depth > _DEPTH_MAX:
        return []
    return [_value(items, result, name, root, depth + 1)] * int(schema.get("minItems") or 0)


def _number(schema: dict[str, Any], kind: str) -> float:
    value = schema.get("minimum", 0)
    return int(value) if kind == "integer" else float(value)


def _string(result: Result, name: str, *, nullable: bool) -> str | None:
    if name in _REPLY_NAMES:
        return result.reply
    if name in _ACTION_NAMES:
        return result.action
    if name in _REASON_NAMES:
        return result.reason_code if nullable else result.reason_code or ""
    return None if nullable else ""
