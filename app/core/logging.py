"""Structured logs: one JSON object a line on stdout, over the standard library's logging.

Fields: ``level, msg, time`` (ms since 1970), ``requestId, tenantId, taskId`` where bound,
``service``, and extras from a closed list. Use::

    log = logging.getLogger(__name__)
    with bind(request_id=…, tenant_id=…):
        log.info("turn settled", extra={"turnId": turn.id, "durationMs": 12})

``msg`` is a constant text. Values of fields not on the list are dropped (their names stay,
under ``droppedFields``), texts with blanks in a field are withheld, and every string passes a
mask for phone numbers, addresses and keys. Third parties' lines keep their template and
their numbers; what they would fill in as text is left out.
"""

import enum
import logging
import re
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple, TextIO
from uuid import UUID

import msgspec

from app.core.observability.context import assign, bind, current, of_error, reset
from app.core.observability.privacy import WITHHELD, mask, stack, type_name

__all__ = [
    "ALLOWED_FIELDS",
    "JsonFormatter",
    "Line",
    "assign",
    "bind",
    "configure",
    "current",
    "reset",
    "write_lines",
]

ALLOWED_FIELDS: Final = frozenset(
    """
    webhook event security action status state outcome reason code kind mode provider engine
    error errorType attempt attempts epoch count total size bytes limit remaining retryAfterS
    durationMs waitMs lagSeconds elapsedMs timeoutS
    service queue worker leader signal pid port host version revision database role
    channelId turnId messageId conversationId contactId inboxId sendId partId mediaId holdId
    sessionId userId planId priceVersion model tokens promptTokens completionTokens
    method route task policy fallback fault disposition dropped batch claimed released due
    accepted duplicate ignored path
    """.split()  # noqa: SIM905 - eighty names read better as a paragraph than as a list
)
"""The fields a line may carry besides the fixed ones; a new one is added here on purpose."""

_STANDARD: Final = frozenset(
    (*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message")
)
_OURS: Final = ("app", "tenants", "billing", "workers", "parley")
_VALUE_CHARS_MAX: Final = 200
_MSG_CHARS_MAX: Final = 300
_MASKED_MAX: Final = 4_096
_SPACES: Final = frozenset(" \t\r\n")
_QUIET: Final = (
    "httpx",
    "httpx2",
    "httpcore",
    "asyncio",
    "uvicorn",
    "kombu",
    "stripe",
    "amqp",
    "urllib3",
    "celery.worker.strategy",
    "celery.app.trace",
)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, letting through only what is known to be harmless."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encode = msgspec.json.Encoder().encode

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        error = record.exc_info[1] if record.exc_info else None
        line: dict[str, Any] = {
            "level": record.levelname.lower(),
            "msg": _message(record),
            "time": int(record.created * 1000),
            "service": self._service,
            "logger": record.name,
        }
        context = current() if error is None else of_error(error)
        if context.request_id:
            line["requestId"] = _request_id(context.request_id)
        if context.tenant_id:
            line["tenantId"] = _masked(context.tenant_id)
        if context.task_id:
            line["taskId"] = mask(context.task_id)
        _add_extras(line, record)
        if error is not None:
            line["errorType"] = type_name(error)
            line["stack"] = mask(stack(error))
        return self._encode(line).decode()

    def format_many(
        self, logger: logging.Logger, msg: str, lines: "Iterable[Line]", extra: Mapping[str, Any]
    ) -> str:
        """Return INFO lines as ``format`` would make them one by one, each with its end."""
        head = self._encode(
            {
                "level": "info",
                "msg": _masked(msg),
                "time": int(time.time() * 1000),
                "service": self._service,
                "logger": logger.name,
                **_allowed(extra),
            }
        ).decode()
        start = head[:-1] + ',"requestId":'
        return "".join(
            [f"{start}{_quoted_request_id(line.request_id)},{_tail(line)}\n" for line in lines]
        )


class Line(NamedTuple):
    """What tells one line of ``write_lines`` from the next."""

    request_id: str
    tenant_id: UUID
    extra: tuple[tuple[str, Any], ...] = ()


def write_lines(
    logger: logging.Logger, msg: str, lines: Iterable[Line], *, extra: Mapping[str, Any]
) -> None:
    """Log ``msg`` at INFO once for each line, all with one write: for what comes in batches.

    A record costs several times what its line does. Where somebody else's handler listens too
    (a test's, say), each line becomes a record all the same. ``extra`` holds the fields that all
    lines have; of it and theirs only ``ALLOWED_FIELDS`` are written.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handlers[0], JsonHandler) and not logger.handlers:
        handlers[0].write_lines(logger, msg, lines, extra)
        return
    for line in lines:
        with bind(request_id=line.request_id, tenant_id=line.tenant_id):
            logger.info(msg, extra={**extra, **dict(line.extra)})


class JsonHandler(logging.StreamHandler[TextIO]):
    """Writes to one stream: a record a line, or many lines of one kind at once."""

    def __init__(self, service: str, stream: TextIO) -> None:
        super().__init__(stream)
        self._format_many = JsonFormatter(service).format_many
        self.setFormatter(JsonFormatter(service))

    def write_lines(
        self, logger: logging.Logger, msg: str, lines: Iterable[Line], extra: Mapping[str, Any]
    ) -> None:
        """See ``write_lines`` of the module."""
        text = self._format_many(logger, msg, lines, extra)
        # As with records: a log that cannot be written is no reason to fail.
        with self.lock or nullcontext(), suppress(OSError, ValueError):
            self.stream.write(text)
            self.flush()


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs and warnings of this process to one stream (default stdout) as JSON.

    Replaces the root's handlers and takes those of libraries away, so uvicorn, celery and
    sqlalchemy write the same lines. Call it again after a library has set up its own.

    Args:
        service: name of the process on each line, e.g. ``api``.
        level: threshold of our own loggers; chatty libraries stay at WARNING.
        stream: where lines go; tests pass their own.
    """
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(service, stream if stream is not None else sys.stdout)]
    root.setLevel(logging.getLevelNamesMapping().get(level.upper(), logging.INFO))
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and not name.startswith(_OURS):
            logger.handlers.clear()
            logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # No line names its place in the code, its thread or its process, so they are not looked up.
    logging._srcfile = None  # noqa: SLF001 - the documented switch
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A record whose formatting fails must not print itself, arguments included, to stderr.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def _message(record: logging.LogRecord) -> str:
    if record.name == "py.warnings":
        return _warning(record)
    text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    if record.args:
        text = _filled(text, record.args)
    # Later lines of library texts repeat the data at hand, e.g. asyncio's repr of a task.
    first = text.partition("\n")[0]
    return _masked(first)[:_MSG_CHARS_MAX]


class _Blank:
    """Stands for an argument that is text: visible as a gap, whatever the conversion."""

    def __str__(self) -> str:
        return "…"

    __repr__ = __str__


_BLANK: Final = _Blank()


def _filled(template: str, args: Any) -> str:
    try:
        if isinstance(args, dict):
            return template % {key: _harmless(value) for key, value in args.items()}
        return template % tuple(_harmless(value) for value in args)
    except (TypeError, ValueError, KeyError):
        return template


def _harmless(value: object) -> object:
    return value if isinstance(value, int | float) else _BLANK


def _warning(record: logging.LogRecord) -> str:
    # "file:line: Category: text": the place and the kind tell the developer; the text may quote.
    place, _, rest = record.getMessage().partition(": ")
    category = rest.partition(":")[0]
    return mask(f"warning {category} at {place}") if category.isidentifier() else "warning"


def _add_extras(line: dict[str, Any], record: logging.LogRecord) -> None:
    dropped: list[str] = []
    for name, value in record.__dict__.items():
        if name in _STANDARD:
            continue
        if name in ALLOWED_FIELDS and (value is None or isinstance(value, _SCALARS)):
            line[name] = _field(value)
        elif record.name.startswith(_OURS):
            dropped.append(mask(name)[:_VALUE_CHARS_MAX])
    if dropped:
        line["droppedFields"] = dropped


def _allowed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _field(value) for name, value in fields.items() if name in ALLOWED_FIELDS}


_SCALARS: Final = (str, int, float, UUID, enum.Enum)


def _field(value: Any) -> str | int | float | None:
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, UUID):
        return str(value)
    text = str(value)[:_VALUE_CHARS_MAX]
    # Codes, ids and names have no blanks; people's sentences do.
    return WITHHELD if not _SPACES.isdisjoint(text) else _masked(text)


# What ``ids.request_id`` makes; one from a proxy may hold anything.
_OWN_REQUEST_ID: Final = re.compile(r"req_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _request_id(text: str) -> str:
    return text if _OWN_REQUEST_ID.fullmatch(text) else mask(text)


def _quoted_request_id(text: str) -> str:
    if _OWN_REQUEST_ID.fullmatch(text):
        return f'"{text}"'
    return msgspec.json.encode(mask(text)).decode()


def _tail(line: Line) -> str:
    """What follows the request's id: the same few for a number's every event."""
    return _encoded_tail(line.tenant_id, line.extra)


@lru_cache(maxsize=_MASKED_MAX)
def _encoded_tail(tenant_id: UUID, extra: tuple[tuple[str, Any], ...]) -> str:
    fields = {"tenantId": _masked(str(tenant_id)), **_allowed(dict(extra))}
    return msgspec.json.encode(fields).decode()[1:]


@lru_cache(maxsize=_MASKED_MAX)
def _masked(text: str) -> str:
    """``mask`` with a memory: messages, codes and tenants come again in every other line."""
    return mask(text)
