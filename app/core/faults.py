"""Named fault points: a no-op in production, a crash on demand in drills.

Every commit and every provider call of the message path has a name here. A fault plan
(``PARLEY_FAULT_PLAN``) makes a point kill the process, stall it, or drop what the call
brought, so that recovery is tried at each of them and none can be forgotten.

Plan grammar: ``point=action[@n]`` joined by ``;``. Actions: ``kill`` (SIGKILL to
ourselves), ``stall:MS`` (block the whole process, as a frozen machine would) and ``drop``
(raise, as if the answer was lost). ``@n`` fires at the n-th passage only; without it the
first passage fires. Each entry fires once per process, and, when
``PARLEY_FAULT_DIR`` names a folder, once per folder, so that a restarted process goes on.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ConfigurationError, FaultInjectedError

FAULT_POINTS: dict[str, str] = {
    "ingest.before_commit": "an edge batch is about to be committed",
    "ingest.after_commit": "the batch is durable, no request of it was answered yet",
    "ingest.after_answer_before_bell": "answered, the bell has not rung",
    "normalise.before_commit": "inbox rows became messages and turns, uncommitted",
    "normalise.after_commit": "messages and turns are durable, nobody was told",
    "dispatch.before_bell": "a due turn was found, the bell has not rung",
    "claim.before_commit": "turns are leased, uncommitted",
    "claim.after_commit": "turns are leased, nothing else happened",
    "hold.before_commit": "credits are held, uncommitted",
    "hold.after_commit": "credits are held, the model was not called",
    "model.before_call": "the model is about to be called",
    "model.after_answer": "the model answered, nothing is stored",
    "reply.before_commit": "the reply is queued, uncommitted",
    "reply.after_commit": "the reply is queued, nothing was sent",
    "send.before_attempt_commit": "an attempt is recorded, uncommitted",
    "send.after_attempt_commit": "an attempt is recorded, WAHA was not called",
    "send.before_seen": "sendSeen is about to be called",
    "send.before_typing": "startTyping is about to be called",
    "send.before_provider_call": "WAHA is about to be asked to send",
    "send.after_provider_accepted": "WAHA accepted the message, nothing is stored",
    "settle.before_commit": "the part is accepted and the hold settled, uncommitted",
    "settle.after_commit": "turn done and charged, the worker has not moved on",
    "reconcile.before_lookup": "an unknown send is about to be looked up",
    "reconcile.before_commit": "the verdict on an unknown send, uncommitted",
    "sweep.before_commit": "a periodic sweep is about to commit",
}


@dataclass(slots=True)
class _Planned:
    """One entry of the plan: what to do, and at which passage."""

    point: str
    action: str
    stall_ms: int
    nth: int
    passages: int = 0
    fired: bool = False


_plan: dict[str, _Planned] = {}
_memory: list[Path] = []


def parse_plan(text: str) -> dict[str, _Planned]:
    """Read a fault plan; raise ConfigurationError naming the entry that cannot be read."""
    plan: dict[str, _Planned] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        point, _, rest = entry.partition("=")
        action, _, nth = rest.partition("@")
        verb, _, stall = action.partition(":")
        if point not in FAULT_POINTS:
            raise ConfigurationError([f"PARLEY_FAULT_PLAN names an unknown point: {point!r}."])
        valid = verb in {"kill", "drop"} or (verb == "stall" and stall.isdigit())
        if not valid or (nth and not nth.isdigit()):
            raise ConfigurationError(
                [f"PARLEY_FAULT_PLAN: {entry!r} is not point=kill|drop|stall:MS[@n]."]
            )
        plan[point] = _Planned(point, verb, int(stall or 0), int(nth or 1))
    return plan


def install_plan(text: str, *, memory: Path | None = None) -> None:
    """Put a plan in force for this process; an empty text removes it."""
    _plan.clear()
    _plan.update(parse_plan(text))
    _memory[:] = [memory] if memory else []


def install_from_environment() -> None:
    """Put the plan of ``PARLEY_FAULT_PLAN`` in force, if there is one."""
    text = os.environ.get("PARLEY_FAULT_PLAN", "")
    if text:
        folder = os.environ.get("PARLEY_FAULT_DIR")
        install_plan(text, memory=Path(folder) if folder else None)


def fault_point(name: str) -> None:
    """Do nothing, unless a fault plan names this point."""
    if not _plan:
        return
    planned = _plan.get(name)
    if planned is not None and not planned.fired:
        _pass(planned)


def _pass(planned: _Planned) -> None:
    planned.passages += 1
    if planned.passages < planned.nth:
        return
    planned.fired = True
    if _memory:
        mark = _memory[0] / planned.point
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return
    if planned.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif planned.action == "stall":
        time.sleep(planned.stall_ms / 1000)
    else:
        raise FaultInjectedError(f"fault plan: {planned.point}")
