"""Sends, in every order of events: attempts, lost answers, crashes, echoes, ticks, read-backs.

Half the examples are on an engine that honours our ids, where a text is sent again under the
same id; half on one that chooses ids, where a doubtful text is never sent again.
"""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from app.core.config import Settings
from tests.databases import TestDatabase
from tests.engine.machine import DAY_S, TIMEOUT_S, EngineMachine, explore
from tests.engine.wires import OUTCOMES
from tests.fixtures.waha import CUSTOMER, OTHER_CUSTOMER

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(TIMEOUT_S)]
LEASE_S, UNKNOWN_S = 60, 90
# A call's lease outlasts the time the call may take.
CALL_LEASE_S = 91
WORKERS = st.sampled_from([0, 1])
NUMBERS = st.integers(0, 5)
OUTCOME = st.sampled_from(list(OUTCOMES))
KINDS = st.sampled_from(["one", "three"])
WAITS = st.sampled_from([2.0, 16.0, LEASE_S + 1.0, UNKNOWN_S + 1.0, UNKNOWN_S + 1.0, 3700.0, DAY_S])
POINTS = (
    "reply.after_commit",
    "send.before_seen",
    "send.before_typing",
    "send.before_attempt_commit",
    "send.after_attempt_commit",
    "send.before_provider_call",
    "send.after_provider_accepted",
    "settle.before_commit",
    "settle.after_commit",
    "reconcile.before_lookup",
    "reconcile.before_commit",
    "normalise.before_commit",
    "sweep.before_commit",
)


class SendMachine(EngineMachine):
    @initialize(honours=st.booleans(), kind=KINDS)
    def open(self, honours: bool, kind: str):
        self.begin(honours=honours)
        self.writer.kinds = [kind]
        self.customer_writes(CUSTOMER)
        self.claim(0)
        # Admitted, held, asked, queued; next is the look at the parts.
        self.proceed(0, 3)

    @rule(chat=st.sampled_from([CUSTOMER, OTHER_CUSTOMER]), kind=KINDS, steps=st.integers(0, 4))
    def another_message(self, chat: str, kind: str, steps: int):
        self.writer.kinds[:] = [kind]
        self.customer_writes(chat)
        self.claim(1)
        self.proceed(1, steps)

    @rule(worker=WORKERS, steps=st.integers(1, 8), outcomes=st.lists(OUTCOME, max_size=3))
    def go_on(self, worker: int, steps: int, outcomes: list[str]):
        self.phone.outcomes[:] = outcomes
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(worker=WORKERS, steps=st.integers(1, 8), outcome=OUTCOME, wait_s=WAITS)
    def try_again_later(self, worker: int, steps: int, outcome: str, wait_s: float):
        self.phone.outcomes[:] = [outcome]
        self.proceed(worker, 8)
        self.pass_time(wait_s)
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(worker=WORKERS, first=OUTCOME, second=OUTCOME, steps=st.integers(1, 4))
    def freeze_in_a_call(self, worker: int, first: str, second: str, steps: int):
        """A call outlives its worker's lease; another goes on, and then the first one wakes."""
        self.claim(worker)
        while self.workers[worker].busy and self.workers[worker].gate.before != "send":
            self.step(worker)
        self.pass_time(CALL_LEASE_S)
        self.phone.outcomes[:] = [first, second]
        self.claim(1 - worker)
        self.proceed(1 - worker, steps)
        self.proceed(worker, 4)

    @rule(worker=WORKERS, clean=st.booleans())
    def end_a_worker(self, worker: int, clean: bool):
        self.wait(self.workers[worker].stop() if clean else self.workers[worker].drop())

    @rule(worker=WORKERS, point=st.sampled_from(POINTS), steps=st.integers(0, 8))
    def die_at(self, worker: int, point: str, steps: int):
        """Whoever comes to the point next dies there; it may be this worker."""
        self.doom(point)
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float):
        self.pass_time(seconds)

    # Evidence.

    @precondition(lambda self: self.phone.bubbles)
    @rule(number=NUMBERS, level=st.sampled_from([None, None, None, 1, 2, 3, 4, -1, -1, 0]))
    def hear_of_it(self, number: int, level: int | None):
        """An echo, or a tick; late, twice or out of order."""
        shown = self.phone.bubbles[-1 - number % len(self.phone.bubbles)]
        if level is None:
            self.deliver(self.waha.owner_writes(shown.text, chat=shown.chat, wa_id=shown.wa_id))
        else:
            self.deliver(self.waha.ack(shown.wa_id, level, chat=shown.chat))

    @rule(away=st.booleans(), wait_s=WAITS)
    def look_it_up(self, away: bool, wait_s: float):
        self.pass_time(wait_s)
        self.phone.listing_away = away
        self.read_back()

    # People.

    @rule(says=st.booleans(), outcomes=st.lists(OUTCOME, max_size=2), wait_s=WAITS)
    def people_write_in_the_inbox(self, says: bool, outcomes: list[str], wait_s: float):
        if says:
            self.person_writes()
        self.phone.outcomes[:] = outcomes
        self.desk_works()
        self.pass_time(wait_s)
        self.desk_works()

    @rule(number=st.one_of(NUMBERS, st.none()))
    def owner_writes(self, number: int | None):
        """The owner says something of their own, or what the machine said, once more."""
        texts = list(self.writer.turn_of)
        words = texts[-1 - number % len(texts)] if texts and number is not None else "I am here."
        self.phone.typed.add(words)
        self.deliver(self.waha.owner_writes(words, chat=CUSTOMER))

    @rule(name=st.sampled_from(["give back", "release_orphaned_holds", "settle_doubt"]))
    def keep_house(self, name: str):
        if name == "give back":
            self.give_back()
        else:
            self.chore(name)

    @invariant()
    def nothing_is_broken(self):
        self.check()


async def test_sends_keep_their_promises_in_every_order(database: TestDatabase, settings: Settings):
    await asyncio.to_thread(explore, SendMachine, database, settings, idle_s=0, lease_s=LEASE_S)
