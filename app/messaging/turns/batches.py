"""Group commit for turns: what several turns of a tenant want at once, one transaction does.

A reply takes four small transactions. Alone each is a dozen round trips; when many turns of a
tenant stand at the same step they share one, their credits are held or settled in one call,
and a tenant with a large backlog occupies one connection a step instead of all of them.

Nobody waits for company: the first turn begins at once, and whoever comes while its
transaction is under way makes up the next batch. A batch that fails is taken apart, so that
one turn never fails its neighbours. What a neighbour's lock holds up is done alone, beside
the batches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from app.core.db.away import is_away

ITEMS_MAX = 64
_AT_ONCE_MAX = 14
# Who waits for a lock does so for as long as somebody else's transaction takes: the greater
# part of the slots stays with batches that wait for nobody.
_ALONE_MAX = 4

Item = TypeVar("Item")
Result = TypeVar("Result")
Carrier = TypeVar("Carrier")
Scope = TypeVar("Scope", bound=Hashable)


class _Later(Enum):
    BUSY = "busy"


BUSY: Final = _Later.BUSY
"""What a step answers for an item whose rows somebody else has locked: it is done alone."""

Outcome: TypeAlias = Result | Exception | Literal[_Later.BUSY]
Step: TypeAlias = Callable[
    [Carrier, Scope, Sequence[Item]], Awaitable[Sequence[Result | Exception | Literal[_Later.BUSY]]]
]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    """One turn's wish, and where its answer goes."""

    item: Item
    answer: "asyncio.Future[Result]"


class Batches:
    """Runs steps for many callers, one batch at a time for each step and scope.

    A step is one transaction for all items of a call (or none): it returns one outcome an
    item, in their order, and raises only when nothing was written. Use from one event loop.
    """

    def __init__(self, *, items_max: int = ITEMS_MAX, at_once_max: int = _AT_ONCE_MAX) -> None:
        self._items_max = items_max
        self._slots = asyncio.Semaphore(at_once_max)
        self._lonely = asyncio.Semaphore(_ALONE_MAX)
        self._waiting: dict[Hashable, list[_Waiting[Any, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(
        self,
        step: Step[Carrier, Scope, Item, Result],
        carrier: Carrier,
        scope: Scope,
        item: Item,
    ) -> Result:
        """Have ``step(carrier, scope, items)`` done for an item; raises what it met.

        Args:
            step: a module's function; with ``scope`` it says what may share a batch.
            carrier: what the step works on, the same for all callers.
            scope: e.g. the tenant whose transaction it is.
            item: this caller's wish.
        """
        key = (step, scope)
        wish: _Waiting[Item, Result] = _Waiting(item, asyncio.get_running_loop().create_future())
        if key in self._waiting:
            self._waiting[key].append(wish)
        else:
            self._waiting[key] = [wish]
            self._start(self._drain(key, step, carrier, scope))
        return await wish.answer

    async def close(self) -> None:
        """Cut off what runs (its transactions roll back); the callers are cancelled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        # An empty context: a batch works for no single request.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(
        self, key: Hashable, step: Step[Any, Any, Any, Any], carrier: Any, scope: Any
    ) -> None:
        waiting = self._waiting[key]
        try:
            while waiting:
                async with self._slots:
                    batch = waiting[: self._items_max]
                    del waiting[: self._items_max]
                    await self._serve(step, carrier, scope, batch)
        finally:
            del self._waiting[key]
            for wish in waiting:
                wish.answer.cancel()

    async def _serve(
        self,
        step: Step[Any, Any, Any, Any],
        carrier: Any,
        scope: Any,
        wishes: Sequence[_Waiting[Any, Any]],
    ) -> None:
        batch = [w for w in wishes if not w.answer.done()]  # not for turns cancelled meanwhile
        if not batch:
            return
        try:
            outcomes = await step(carrier, scope, [w.item for w in batch])
        except asyncio.CancelledError:
            for wish in batch:
                wish.answer.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - it is each caller's, whatever it is
            if len(batch) == 1 or is_away(error) or not isinstance(error, Exception):
                for wish in batch:
                    _settle(wish, error)
                return
            for wish in batch:
                await self._serve(step, carrier, scope, [wish])
            return
        for wish, outcome in zip(batch, outcomes, strict=True):
            if outcome is BUSY:
                self._start(self._alone(step, carrier, scope, wish))
            else:
                _settle(wish, outcome)

    async def _alone(
        self, step: Step[Any, Any, Any, Any], carrier: Any, scope: Any, wish: _Waiting[Any, Any]
    ) -> None:
        async with self._lonely, self._slots:
            await self._serve(step, carrier, scope, [wish])


def _settle(wish: _Waiting[Any, Any], outcome: Any) -> None:
    if wish.answer.done():  # its turn was cancelled meanwhile
        return
    if isinstance(outcome, BaseException):
        wish.answer.set_exception(outcome)
    else:
        wish.answer.set_result(outcome)
