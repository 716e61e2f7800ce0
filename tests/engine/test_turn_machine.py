"""Turns, in every order of events: arrivals, claims, crashes, lost leases, people, the model.

Two workers stop before each transaction and each call; the machine decides who goes on, who
dies, how much time passes and what customers and people do meanwhile.
"""

import asyncio
import time

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule

from app.core.config import Settings
from app.messaging.turns.due import promote
from tests.databases import TestDatabase
from tests.engine.machine import TIMEOUT_S, EngineMachine, Written, explore
from tests.engine.wires import ANSWERS
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID, OTHER_CUSTOMER

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(TIMEOUT_S)]
IDLE_S, CAP_S, LEASE_S = 8, 45, 60
CHATS = st.sampled_from([CUSTOMER, CUSTOMER, OTHER_CUSTOMER, CUSTOMER_LID])
WORKERS = st.sampled_from([0, 1])
_STATUS = "update tenants set status = $2 where id = $1"
# Where a process may die in the middle of a transaction, or right behind one.
POINTS = (
    "normalise.before_commit",
    "normalise.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "hold.before_commit",
    "hold.after_commit",
    "model.before_call",
    "model.after_answer",
    "reply.before_commit",
    "reply.after_commit",
    "send.before_attempt_commit",
    "send.after_attempt_commit",
    "send.after_provider_accepted",
    "settle.before_commit",
    "settle.after_commit",
    "sweep.before_commit",
)


class TurnMachine(EngineMachine):
    messages = Bundle("messages")
    strangers = 0

    @initialize(credits_=st.sampled_from([100, 100, 100, 2]), apology=st.booleans())
    def open(self, credits_: int, apology: bool):
        words = {"handover_text": "Somebody will write to you."} if apology else {}
        self.begin(honours=True, credits_=credits_, **words)

    # Customers.

    @rule(target=messages, chat=CHATS, pause_s=st.sampled_from([0, IDLE_S + 1, IDLE_S + 1]))
    def write(self, chat: str, pause_s: int):
        written = self.customer_writes(chat)
        self.pass_time(pause_s)
        return written

    @rule(
        chat=CHATS,
        how=st.sampled_from(
            ["unread", "picture", "hidden number", "typing", "stop", "start", "long ago"]
        ),
    )
    def write_otherwise(self, chat: str, how: str):
        if how in {"stop", "start"}:
            self.customer_writes(chat, body=how.upper())
        elif how == "long ago":
            self.customer_writes(chat, sent_s=time.time() - 2 * 3600)
        elif how == "unread":
            self.customer_writes(chat, drain=False)
        elif how == "picture":
            self.customer_writes(chat, picture=True)
        elif how == "hidden number":
            self.customer_writes(CUSTOMER_LID, alternate=CUSTOMER)
        else:
            self.deliver(self.waha.presence(chat=chat))

    @rule(
        message=messages,
        how=st.sampled_from(["again", "any", "device", "hidden", "edit", "revoke"]),
    )
    def tell_again(self, message: Written, how: str):
        """The same message once more, as it is, in another spelling, changed or taken back."""
        again = {"wa_id": message.wa_id, "event": "message.any"}
        user, _, server = message.chat.partition("@")
        device = f"{user}:3@{'lid' if server == 'lid' else 's.whatsapp.net'}"
        build = {
            "again": lambda: message.body,
            "any": lambda: self.waha.message(chat=message.chat, **again),
            "device": lambda: self.waha.message(chat=device, **again),
            "hidden": lambda: self.waha.message(chat=CUSTOMER_LID, alternate=CUSTOMER, **again),
            "edit": lambda: self.waha.edited(message.wa_id, "another", chat=message.chat),
            "revoke": lambda: self.waha.revoked(message.wa_id, chat=message.chat),
        }
        self.deliver(build[how]())

    @rule(
        worker=WORKERS,
        steps=st.sampled_from([0, 1, 3]),
        others=st.sampled_from([0, 3, 3, 4]),
        meanwhile=st.sampled_from(["nothing", "owner", "pause"]),
    )
    def two_threads_become_one(self, worker: int, steps: int, others: int, meanwhile: str):
        """Somebody is known by two addresses; both are being answered when that comes out."""
        self.strangers += 1
        phone, lid = f"49151556{self.strangers:05d}@c.us", f"2700000{self.strangers:08d}@lid"
        for chat in (phone, lid):
            self.customer_writes(chat)
        self.pass_time(IDLE_S + 1)
        for number, count in ((worker, steps), (1 - worker, others)):
            self.claim(number)
            self.proceed(number, count)
        if meanwhile == "owner":
            self.deliver(self.waha.owner_writes(chat=phone))
        elif meanwhile == "pause":
            self.people("pause", states=("pending",), for_s=IDLE_S)
        self.customer_writes(lid, alternate=phone)
        self.proceed(worker, 2)

    # People.

    @rule(chat=st.one_of(CHATS, st.none()))
    def people_write_or_give_back(self, chat: str | None):
        if chat is None:
            self.give_back()
        else:
            self.deliver(self.waha.owner_writes(chat=chat))

    @rule(
        wish=st.sampled_from(["take_over", "pause", "snooze", "resolve", "reopen", "give_back"]),
        for_s=st.sampled_from([IDLE_S, 3600]),
    )
    def people_at_the_desk(self, wish: str, for_s: int):
        timed = {"for_s": for_s} if wish in {"take_over", "pause", "snooze"} else {}
        states = ("resolved",) if wish == "reopen" else ("pending", "open", "snoozed")
        self.people(wish, states=states, **timed)

    # Time, and who works.

    @rule(seconds=st.sampled_from([1, IDLE_S, CAP_S, LEASE_S + 1, LEASE_S + 1, 13 * 3600]))
    def time_passes(self, seconds: int):
        self.pass_time(seconds)

    @rule(worker=WORKERS, steps=st.integers(1, 8))
    def go_on(self, worker: int, steps: int):
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(worker=WORKERS, kind=st.sampled_from(ANSWERS), steps=st.integers(2, 12))
    def go_on_and_hear(self, worker: int, kind: str, steps: int):
        self.writer.kinds[:] = [kind]
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(worker=WORKERS, point=st.sampled_from(POINTS), steps=st.integers(0, 8))
    def die_at(self, worker: int, point: str, steps: int):
        """Whoever comes to the point next dies there; it may be this worker."""
        self.doom(point)
        self.claim(worker)
        self.proceed(worker, steps)

    @rule(
        worker=WORKERS,
        chat=CHATS,
        steps=st.sampled_from([0, 1, 2, 2, 3, 4, 5]),
        others=st.sampled_from([0, 1, 2, 3, 8]),
    )
    def freeze_past_the_lease(self, worker: int, chat: str, steps: int, others: int):
        """One stops at some moment, another takes over, and then the first one wakes."""
        self.customer_writes(chat)
        self.pass_time(IDLE_S + 1)
        self.claim(worker)
        self.proceed(worker, steps)
        self.pass_time(LEASE_S + 1)
        self.claim(1 - worker)
        self.proceed(1 - worker, others)
        self.proceed(worker, 8)

    @rule(worker=WORKERS, chat=CHATS, what=st.sampled_from(["customer", "owner", "back", "desk"]))
    def speak_while_the_model_thinks(self, worker: int, chat: str, what: str):
        self.claim(worker)
        while self.workers[worker].busy and self.workers[worker].gate.before != "model":
            self.step(worker)
        if what == "customer":
            self.customer_writes(chat)
        elif what == "owner":
            self.deliver(self.waha.owner_writes(chat=chat))
        elif what == "desk":
            self.people("take_over", states=("pending",), for_s=None)
        else:
            self.give_back()
        self.proceed(worker, 8)

    @rule(worker=WORKERS, how=st.sampled_from(["renew", "kill", "stop"]))
    def end_a_worker(self, worker: int, how: str):
        if how == "kill":
            self.wait(self.workers[worker].drop())
        elif how == "stop":
            self.wait(self.workers[worker].stop())
        elif self.workers[worker].busy:
            self.run(self.workers[worker].renew)

    @rule(
        name=st.sampled_from(
            [
                "limit",
                "drain",
                "promote",
                "top up",
                "suspended",
                "active",
                "release_orphaned_holds",
                "adopt_strays",
                "settle_doubt",
                "settle_proven",
                "wake_conversations",
            ]
        )
    )
    def keep_house(self, name: str):
        if name == "limit":
            self.turnstile.refusals += 1
        elif name == "drain":
            self.run(self.bench.drain)
        elif name == "promote":
            self.wait(promote(self.bench.database.db))
        elif name == "top up":
            self.wait(self.bench.grant(self.shop.tenant_id, 2))
        elif name in {"suspended", "active"}:
            self.wait(self.ground.rows.execute(_STATUS, self.shop.tenant_id, name))
        else:
            self.chore(name)

    @invariant()
    def nothing_is_broken(self):
        self.check()


async def test_turns_keep_their_promises_in_every_order(database: TestDatabase, settings: Settings):
    timings = {"idle_s": IDLE_S, "cap_s": CAP_S, "lease_s": LEASE_S}
    await asyncio.to_thread(explore, TurnMachine, database, settings, **timings)
