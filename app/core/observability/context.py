"""Who and what the running code works for: the ids on every log line and Sentry event."""

from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import NamedTuple
from uuid import UUID


class WorkContext(NamedTuple):
    """The ids of the request, tenant and task at hand; None where there is none."""

    request_id: str | None = None
    tenant_id: str | None = None
    task_id: str | None = None


_EMPTY = WorkContext()
_current: ContextVar[WorkContext] = ContextVar("parley_work_context", default=_EMPTY)
_ATTRIBUTE = "__parley_context__"


def current() -> WorkContext:
    """Return the ids bound here; each asyncio task sees its own."""
    return _current.get()


def of_error(error: BaseException) -> WorkContext:
    """Return the ids bound where an exception was raised, else those bound here."""
    seen: object = getattr(error, _ATTRIBUTE, None)
    return seen if isinstance(seen, WorkContext) else _current.get()


def assign(
    *,
    request_id: str | None = None,
    tenant_id: UUID | str | None = None,
    task_id: str | None = None,
) -> Token[WorkContext]:
    """Bind the given ids until the surrounding asyncio task or thread ends, or ``reset``."""
    now = _current.get()
    return _current.set(
        WorkContext(
            request_id or now.request_id,
            str(tenant_id) if tenant_id is not None else now.tenant_id,
            task_id or now.task_id,
        )
    )


def reset(token: Token[WorkContext]) -> None:
    """Return to the ids before ``assign``, in the same asyncio task or thread."""
    _current.reset(token)


class bind:  # noqa: N801 - reads like the verb it is: `with bind(tenant_id=…):`
    """Bind ids for a block: ``with bind(request_id=…, tenant_id=…):``.

    An exception that leaves the block takes the innermost ids along, so a handler further out
    (a framework, a task runner) still reports it under the right tenant.
    """

    __slots__ = ("_ids", "_token")

    def __init__(
        self,
        *,
        request_id: str | None = None,
        tenant_id: UUID | str | None = None,
        task_id: str | None = None,
    ) -> None:
        self._ids = (request_id, tenant_id, task_id)
        self._token: Token[WorkContext] | None = None

    def __enter__(self) -> WorkContext:
        request_id, tenant_id, task_id = self._ids
        self._token = assign(request_id=request_id, tenant_id=tenant_id, task_id=task_id)
        return _current.get()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not hasattr(error, _ATTRIBUTE):
            with suppress(AttributeError):  # a class that forbids new attributes
                setattr(error, _ATTRIBUTE, _current.get())
        if self._token is not None:
            _current.reset(self._token)
