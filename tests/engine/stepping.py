"""Workers that stop before each transaction and each call outside, and go on when told.

Between two such moments a worker holds no lock, so whatever else happens meanwhile happens in
every order a real process could meet; dropping the worker there is what ``kill -9`` does.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import ChannelAccess
from app.core.db.engine import Database
from app.core.ports import Answer, Prepared
from app.messaging.turns.claiming import claim, release, renew
from app.messaging.turns.model import ClaimedTurn, Engine
from tests.engine.ports import ProcessGone, ScriptedAnswerer
from tests.engine.wires import Phone
from workers.turns import TurnRunner

STEP_S = 20.0
_kill = os.kill


def die(pid: int, number: int) -> None:
    """``os.kill`` for a plan whose process is the test's own: nothing behind it runs."""
    if pid == os.getpid() and number == signal.SIGKILL:
        raise ProcessGone
    _kill(pid, number)


class Gate:
    """Where one worker waits to be told to go on; an open gate lets everything through."""

    def __init__(self, *, is_open: bool = False) -> None:
        self._open = is_open
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    @property
    def before(self) -> str | None:
        """What the worker is about to do: ``commit``, ``model`` or ``send``."""
        return self._waiting[0][0] if self._waiting else None

    async def stop(self, before: str) -> None:
        """Wait for the next ``let_go``."""
        if self._open:
            return
        told = asyncio.get_running_loop().create_future()
        self._waiting.append((before, told))
        self._arrived.set()
        try:
            await told
        finally:
            self._waiting = [(b, t) for b, t in self._waiting if t is not told]
            if not self._waiting:
                self._arrived.clear()

    def let_go(self) -> None:
        """Let the worker do what it waits before."""
        _, told = self._waiting.pop(0)
        if not self._waiting:
            self._arrived.clear()
        told.set_result(None)

    async def arrival(self) -> None:
        """Wait until the worker stops here again."""
        await self._arrived.wait()


class SteppedDatabase(Database):
    """The same pools; every transaction waits at the gate before it begins."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self.__dict__.update(database.__dict__)
        self._gate = gate

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
        await self._gate.stop("commit")
        async with super().tenant(tenant_id) as connection:
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[AsyncConnection]:
        await self._gate.stop("commit")
        async with super().system() as connection:
            yield connection


class SteppedAnswerer:
    """A model whose answer takes as long as the gate says."""

    def __init__(self, answerer: ScriptedAnswerer, gate: Gate) -> None:
        self._answerer = answerer
        self._gate = gate
        self.prepare = answerer.prepare
        self.learn = answerer.learn

    async def answer(self, prepared: Prepared) -> Answer:
        await self._gate.stop("model")
        return await self._answerer.answer(prepared)


class SteppedSender:
    """WAHA as one worker sees it: its calls take as long as the gate says."""

    def __init__(self, phone: Phone, gate: Gate) -> None:
        self._phone = phone
        self._gate = gate
        self.honours_client_id = phone.honours_client_id
        self.mark_seen = phone.mark_seen
        self.set_typing = phone.set_typing

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        await self._phone.before_call(text)
        await self._gate.stop("send")
        return await self._phone.send_text(access, chat, text, client_id)


class Worker:
    """A process that runs one turn at a time, transaction by transaction."""

    def __init__(self, engine: Engine, phone: Phone, *, free: bool = False) -> None:
        self.gate = Gate(is_open=free)
        self._database = engine.database
        self._engine = replace(
            engine,
            database=SteppedDatabase(engine.database, self.gate),
            answerer=SteppedAnswerer(engine.answerer, self.gate),  # type: ignore[arg-type]
            sender=SteppedSender(phone, self.gate),  # type: ignore[arg-type]
        )
        self.turn: ClaimedTurn | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    async def claim(self) -> bool:
        """Claim one turn and stop before the first thing to do for it."""
        found = await claim(
            self._database,
            owner=self._engine.owner,
            lease_s=self._engine.settings.timings.lease_s,
            turns_max=1,
        )
        if not found:
            return False
        (self.turn,) = found
        self._task = asyncio.create_task(TurnRunner(self._engine)._run(self.turn))
        await self._until_stopped()
        return True

    async def step(self) -> None:
        """Do one transaction or one call, up to the next."""
        self.gate.let_go()
        await self._until_stopped()

    async def renew(self) -> None:
        """Renew the lease; a worker that has lost it drops the turn, as the runner does."""
        assert self.turn is not None
        lease_s = self._engine.settings.timings.lease_s
        kept = await renew(self._database, [self.turn], owner=self._engine.owner, lease_s=lease_s)
        if self.turn.id not in kept:
            await self.drop()

    async def stop(self) -> None:
        """Give the turn back, as at a SIGTERM."""
        turn = self.turn
        await self.drop()
        if turn is not None:
            await release(self._database, [turn], owner=self._engine.owner)

    async def drop(self) -> None:
        """End without a word, as at a SIGKILL."""
        task, self._task, self.turn = self._task, None, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, ProcessGone):
                await task
        await self._engine.batches.close()

    async def _until_stopped(self) -> None:
        assert self._task is not None
        arrival = asyncio.create_task(self.gate.arrival())
        async with asyncio.timeout(STEP_S):
            await asyncio.wait({self._task, arrival}, return_when=asyncio.FIRST_COMPLETED)
        arrival.cancel()
        if self._task.done():
            task, self._task, self.turn = self._task, None, None
            with suppress(ProcessGone):
                task.result()


async def survive(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run something that a planned kill may end in the middle; None when it did."""
    try:
        return await work()
    except ProcessGone:
        return None
