"""What happens when in a campaign: bursts of messages, kills, faults; all drawn from one seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.chaos.businesses import Customer

MESSAGES_PER_S = 8.0
DURATION_MIN_S = 12.0
BURST_MAX = 4
BURST_GAP_MAX_S = 0.7
FAULT_EVERY_S = 0.9
GIVE_BACK_EVERY_S = 3.0
AWAY_S = 1.5
# How long no webhook arrives before WAHA forgets them: about fifteen messages.
CUT_OFF_S = 2.0
# Of ten kills a worker gets four: it does most, so it has most to lose.
VICTIM_WEIGHTS = {
    "worker": 2,
    "worker-2": 2,
    "api": 2,
    "scheduler": 1,
    "redis": 1,
    "postgres": 2,
}
Kind = Literal["write", "kill", "fault", "give_back", "status", "cut_off", "forget_deliveries"]


@dataclass(frozen=True, slots=True)
class Write:
    """A customer sends a message; `duplicate` further deliveries of its events follow."""

    customer: Customer
    token: str
    duplicate: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to do, `at_s` seconds after the beginning."""

    at_s: float
    kind: Kind
    subject: Any = None


def plan(
    seed: int, *, messages: int, kills: int, customers: Sequence[Customer]
) -> tuple[float, list[Event]]:
    """The duration in seconds and the events in order; the same seed gives the same plan."""
    rng = random.Random(seed)
    duration_s = max(DURATION_MIN_S, messages / MESSAGES_PER_S)
    events = [
        *_writes(rng, messages, customers, duration_s),
        *_kills(rng, kills, duration_s),
        *_faults(rng, duration_s),
        *_absences(rng, customers, duration_s),
        *_every(GIVE_BACK_EVERY_S, duration_s, "give_back"),
    ]
    if messages >= 100:  # a short campaign leaves the gap sweep no time beside everything else
        at_s = duration_s * rng.uniform(0.3, 0.7)
        events += [Event(at_s, "cut_off"), Event(at_s + CUT_OFF_S, "forget_deliveries")]
    return duration_s, sorted(events, key=lambda event: event.at_s)


def token_of(rng: random.Random, number: int) -> str:
    """The n-th message's name, unlike any other text."""
    return f"#{number:06d}-{rng.getrandbits(16):04x}"


def _writes(
    rng: random.Random, messages: int, customers: Sequence[Customer], duration_s: float
) -> Iterator[Event]:
    """Bursts of a customer's messages, begun at random; numbered as they are written."""
    moments: list[tuple[float, Customer]] = []
    while len(moments) < messages:
        customer, at_s = rng.choice(customers), rng.uniform(0, duration_s)
        for _ in range(min(rng.randint(1, BURST_MAX), messages - len(moments))):
            moments.append((at_s, customer))
            at_s += rng.uniform(0.02, BURST_GAP_MAX_S)
    for number, (at_s, customer) in enumerate(sorted(moments, key=lambda m: m[0])):
        duplicate = rng.choice((0, 0, 0, 0, 1, 2))
        yield Event(at_s, "write", Write(customer, token_of(rng, number), duplicate))


def _kills(rng: random.Random, kills: int, duration_s: float) -> Iterator[Event]:
    """One kill in each slice of the time, so that none falls on a process that is down anyway."""
    names, weights = list(VICTIM_WEIGHTS), list(VICTIM_WEIGHTS.values())
    slice_s = duration_s / max(kills, 1)
    for number in range(kills):
        victim = rng.choices(names, weights)[0]
        yield Event((number + rng.uniform(0.1, 0.9)) * slice_s, "kill", victim)


def _every(step_s: float, duration_s: float, kind: Kind) -> Iterator[Event]:
    for step in range(1, int(duration_s / step_s) + 1):
        yield Event(step * step_s, kind)


def _absences(
    rng: random.Random, customers: Sequence[Customer], duration_s: float
) -> Iterator[Event]:
    """Now and then a number's session is away for a moment: sends are a 422, messages wait."""
    for _ in range(int(duration_s / 30)):
        business = rng.choice(customers).business
        at_s = rng.uniform(0, duration_s - AWAY_S)
        yield Event(at_s, "status", (business, "STOPPED"))
        yield Event(at_s + AWAY_S, "status", (business, "WORKING"))


def _faults(rng: random.Random, duration_s: float) -> Iterator[Event]:
    at_s = rng.uniform(0, FAULT_EVERY_S)
    names, weights = list(FAULTS), [weight for weight, _ in FAULTS.values()]
    while at_s < duration_s:
        weight_fault = FAULTS[rng.choices(names, weights)[0]]
        yield Event(at_s, "fault", {**weight_fault[1], "times": rng.randint(1, 3)})
        at_s += rng.uniform(0.3, 2 * FAULT_EVERY_S - 0.3)


_SEND = {"service": "waha", "path": "/api/sendText"}
_MODEL = {"service": "openai", "path": "*"}
_HOOK = {"service": "webhook", "path": "*"}
# name -> (how often against the others, what the simulator is asked for)
FAULTS: dict[str, tuple[int, dict[str, Any]]] = {
    "webhook delivered again": (3, {**_HOOK, "duplicate": 2}),
    "webhook overtaken": (2, {**_HOOK, "reorder": True}),
    "webhook late": (3, {**_HOOK, "delay_ms": 1_200}),
    "webhook lost on the way": (2, {**_HOOK, "drop": "before"}),
    "webhook's answer lost": (3, {**_HOOK, "drop": "after"}),
    "model too slow": (2, {**_MODEL, "delay_ms": 3_500}),
    "model slow": (2, {**_MODEL, "delay_ms": 900}),
    "model refuses with 429": (2, {**_MODEL, "status": 429, "headers": {"Retry-After": "1"}}),
    "model fails with 500": (2, {**_MODEL, "status": 500}),
    "model answers no JSON": (2, {**_MODEL, "status": 200, "body": "not { JSON"}),
    "model answers nothing": (1, {**_MODEL, "status": 200, "body": {"choices": []}}),
    "model's answer lost": (1, {**_MODEL, "drop": "after"}),
    "send late": (3, {**_SEND, "delay_ms": 1_500}),
    "send later than anybody waits": (2, {**_SEND, "delay_ms": 4_500}),
    "send fails with 500": (2, {**_SEND, "status": 500}),
    "send refused with 422": (2, {**_SEND, "status": 422}),
    "send taken, answer lost": (3, {**_SEND, "drop": "after"}),
    "send lost on the way": (1, {**_SEND, "drop": "before"}),
    "gesture fails": (1, {"service": "waha", "path": "/api/startTyping", "status": 500}),
    "seen's answer lost": (1, {"service": "waha", "path": "/api/sendSeen", "drop": "after"}),
}
