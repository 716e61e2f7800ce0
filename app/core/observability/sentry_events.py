"""What an event for Sentry may consist of: an allow-list, and the mask over what is on it."""

from typing import Any

from app.core.errors import ExpectedError
from app.core.observability import context
from app.core.observability.privacy import WITHHELD, chain, describe, mask

_OUR_PACKAGES = ("app", "tenants", "billing", "workers")
_STRING_CHARS_MAX = 200

_EVENT_FIELDS = frozenset(
    {"event_id", "level", "platform", "timestamp", "environment", "release", "sdk", "transaction"}
)
_FRAME_FIELDS = ("filename", "abs_path", "function", "module", "lineno", "colno", "in_app")
_EXCEPTION_FIELDS = ("type", "module", "thread_id")
FINAL_TAG = "final"
_TAGS = frozenset({"tenant_id", "request_id", "service", "task_id", FINAL_TAG})


def drop(_event: Any, _hint: Any) -> None:
    """Send nothing of this kind (transactions)."""
    return


def before_breadcrumb(crumb: dict[str, Any], _hint: Any) -> dict[str, Any]:
    """Keep that something happened and when; what was said about it stays here."""
    return {k: crumb[k] for k in ("type", "category", "level", "timestamp") if k in crumb}


def before_send(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any] | None:
    """Return a new event made of what may leave; None for what Sentry need not hear of."""
    error = _error_of(hint)
    tags = _tags(event, error)
    if isinstance(error, ExpectedError) and FINAL_TAG not in tags:
        return None
    if error is None and "exception" not in event:
        return None  # a log line without an exception: the logs have it
    kept = {k: _masked(v) for k, v in event.items() if k in _EVENT_FIELDS}
    kept["exception"] = {"values": _exceptions(event, error)}
    kept["tags"] = tags
    if isinstance(name := event.get("logger"), str):
        kept["logger"] = name
        if name.startswith(_OUR_PACKAGES):
            kept["logentry"] = {"message": mask(str((event.get("logentry") or {}).get("message")))}
    if crumbs := (event.get("breadcrumbs") or {}).get("values"):
        kept["breadcrumbs"] = {"values": [before_breadcrumb(c, None) for c in crumbs]}
    return kept


def _error_of(hint: dict[str, Any]) -> BaseException | None:
    info = hint.get("exc_info")
    error = info[1] if isinstance(info, tuple) else None
    return error if isinstance(error, BaseException) else None


def _exceptions(event: dict[str, Any], error: BaseException | None) -> list[dict[str, Any]]:
    facts = _facts(error)
    values = (event.get("exception") or {}).get("values") or []
    return [_exception(value, facts) for value in values]


def _exception(value: dict[str, Any], facts: dict[str, str]) -> dict[str, Any]:
    kept = {k: _masked(value[k]) for k in _EXCEPTION_FIELDS if value.get(k) is not None}
    kept["value"] = facts.get(str(value.get("type")), WITHHELD)
    mechanism = value.get("mechanism") or {}
    kept["mechanism"] = {k: mechanism[k] for k in ("type", "handled") if k in mechanism}
    frames = (value.get("stacktrace") or {}).get("frames") or []
    kept["stacktrace"] = {
        "frames": [{k: _masked(f[k]) for k in _FRAME_FIELDS if k in f} for f in frames]
    }
    return kept


def _facts(error: BaseException | None) -> dict[str, str]:
    """Map each class in an exception's chain to what may be told of it."""
    facts: dict[str, str] = {}
    for link in chain(error) if error is not None else ():
        facts.setdefault(type(link).__name__, describe(link))
    return facts


def _tags(event: dict[str, Any], error: BaseException | None) -> dict[str, str]:
    bound = context.of_error(error) if error is not None else context.current()
    tags = {k: v for k, v in bound._asdict().items() if v}
    # On the scope stand only the process's name and what was given to capture() itself.
    tags |= {k: str(v) for k, v in dict(event.get("tags") or {}).items() if k in _TAGS}
    return {k: mask(v)[:_STRING_CHARS_MAX] for k, v in tags.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {k: _masked(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(v) for v in value]
    return value
