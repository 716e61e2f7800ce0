"""Businesses and customers on a running stage, and what a test asks about them."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.cli.local.phone import Bubble
from benchmarks.chaos.businesses import Business, Customer, invite
from benchmarks.chaos.campaign import calm_down, settle, verdict_on
from benchmarks.chaos.evidence import Ledgers
from benchmarks.chaos.marks import tokens_in
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.timeline import token_of
from benchmarks.chaos.verdict import ANSWERED, Verdict, Written

POLL_S = 0.05
WAIT_S = 60.0


@dataclass
class Scene:
    """What is written on a stage by one test. Its customers are nobody else's."""

    stage: Stage
    businesses: Sequence[Business]
    first_customer: int = 0
    written: list[Written] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    _rng: random.Random = field(default_factory=lambda: random.Random(5))

    def __post_init__(self) -> None:
        tenants = [business.tenant_id for business in self.businesses]
        self.ledgers = Ledgers(self.stage.environment, tenants)

    def invite(self, count: int) -> list[Customer]:
        """Customers who have not written yet."""
        first = self.first_customer + len(self.customers)
        self.customers += invite(self.businesses, count, first=first)
        return self.customers[-count:]

    def write(self, customer: Customer) -> str:
        token = token_of(self._rng, len(self.written))
        customer.write(f"{token} please")
        self.written.append(Written(token, customer.phone))
        return token

    def until(self, condition: Callable[[], object], what: str, wait_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + wait_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {wait_s:g} s: {what}"
            time.sleep(POLL_S)

    def answered(self, customer: Customer) -> bool:
        return any(b.author == "assistant" for b in self.bubbles(customer))

    def bubbles(self, customer: Customer) -> list[Bubble]:
        return customer.business.waha.bubbles(customer.phone)

    def delays_s(self) -> dict[str, float]:
        """From each message to the bubble that answers it, in seconds."""
        delays: dict[str, float] = {}
        for customer in self.customers:
            asked: dict[str, int] = {}
            for bubble in self.bubbles(customer):
                for token in tokens_in(bubble.text):
                    if bubble.author == "customer":
                        asked[token] = bubble.at_ms
                    else:
                        delays[token] = (bubble.at_ms - asked[token]) / 1000
        return delays

    def verdict(self) -> Verdict:
        """Wait for the end of everything, and judge; every message has to be answered."""
        calm_down([self.stage.waha, self.stage.other_waha], self.businesses)
        left = settle(self.stage, self.ledgers, len(self.written), stop=threading.Event())
        assert not left, left
        found = verdict_on(self.written, self.customers, self.ledgers)
        broken = [*found.lost, *found.doubled, *found.out_of_order, *found.drift]
        assert not broken, (broken, found.dispositions, found.doubted, len(self.written))
        assert set(found.dispositions) <= ANSWERED, found.dispositions
        return found
