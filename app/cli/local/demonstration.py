"""The proof behind `parley demo`: two customers, forged and repeated deliveries, one reply each."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.cli.errors import CommandError, ExitCode
from app.cli.local.balance import Balance, read_balance
from app.cli.local.delivery import Delivery, customer_message
from app.cli.local.evidence import TurnEvidence, provider_calls, read_turns, webhook_attempts
from app.cli.local.http_client import request
from app.cli.local.phone import Phone, fictional_phone, print_transcript
from app.cli.local.showcase import settled_balance
from app.cli.local.stack import LocalStack

REPLY_S = 45.0
# Long enough for a second reply to show itself: the demo's idle time and typing pause together.
SECOND_REPLY_S = 2.0
SETTLE_S = 10.0
DELIVERIES = 3
FORGED_SECRET = "not-the-channel's-secret"  # noqa: S105 - it is meant to be wrong
DIRECT_QUESTION = "Hello! How can I reach you, and when are you open?"
OK, UNAUTHORIZED = 200, 401


@dataclass(slots=True)
class Demonstration:
    """One run against a stack that is ready; `run` raises `CommandError` with the first reason."""

    stack: LocalStack
    stop: threading.Event
    write: Callable[[str], None]
    _checks: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Two customers write; exactly one reply each; everything is shown with its evidence."""
        tenant, simulator = self.stack.tenant, self.stack.addresses.simulator_url
        request("DELETE", f"{simulator}/_sim/calls")
        before = self._balance()
        direct, typed = self._two_phones()
        delivery = customer_message(tenant, direct.number, DIRECT_QUESTION)
        self._deliver(delivery)
        answer = typed.write(tenant.sample_questions[0])
        self._one_reply_each([direct, typed])
        self._show_transcripts({"delivered by HTTP": direct, "typed on the phone": typed})
        turns = self._settled_turns([delivery.message_id, bare_id(answer)])
        after = settled_balance(self.stack, self.stop)
        self._show_evidence(turns, before, after)
        self._judge(turns, before, after)

    def _two_phones(self) -> tuple[Phone, Phone]:
        url = self.stack.addresses.simulator_url
        first = fictional_phone()
        second = fictional_phone()
        while second == first:
            second = fictional_phone()
        return Phone(url, first), Phone(url, second)

    def _balance(self) -> Balance:
        return read_balance(self.stack.tenant.tenant_id, self.stack.environment)

    def _deliver(self, delivery: Delivery) -> None:
        """A forged delivery, then the same good one three times."""
        api, tenant = self.stack.addresses.api_url, self.stack.tenant
        forged = delivery.send(api, tenant.channel_key, FORGED_SECRET)
        self._expect("a forged signature", [forged], [UNAUTHORIZED])
        statuses = [
            delivery.send(api, tenant.channel_key, tenant.webhook_secret) for _ in range(DELIVERIES)
        ]
        self._expect("the same delivery three times", statuses, [OK] * DELIVERIES)

    def _expect(self, what: str, statuses: list[int], expected: list[int]) -> None:
        shown = ", ".join(map(str, statuses))
        self._checks.append(f"{what}: HTTP {shown}")
        if statuses != expected:
            wanted = ", ".join(map(str, expected))
            raise wrong(f"{what}: HTTP {shown} instead of {wanted}")

    def _one_reply_each(self, phones: list[Phone]) -> None:
        for phone in phones:
            if not phone.wait_replies(1, REPLY_S, self.stop):
                raise wrong(f"no reply on the phone within {REPLY_S:.0f} s; {self._logs()}")
        self.stop.wait(SECOND_REPLY_S)
        for phone in phones:
            count = len(phone.replies())
            if count != 1:
                raise wrong(f"{count} replies on one phone instead of one; {self._logs()}")

    def _settled_turns(self, message_ids: list[str]) -> list[TurnEvidence]:
        """The turns once they are done, or as they are when waiting is over."""
        deadline = time.monotonic() + SETTLE_S
        turns = self._turns(message_ids)
        while not _all_done(turns, message_ids) and time.monotonic() < deadline:
            self.stop.wait(0.1)
            turns = self._turns(message_ids)
        return turns

    def _turns(self, message_ids: list[str]) -> list[TurnEvidence]:
        url = self.stack.environment["DATABASE_SYSTEM_URL"]
        return asyncio.run(read_turns(url, self.stack.tenant.tenant_id, message_ids))

    def _show_transcripts(self, phones: dict[str, Phone]) -> None:
        for how, phone in phones.items():
            self.write(f"\nA customer's message, {how}:")
            bubbles = phone.bubbles()
            if not any(bubble.author == "customer" for bubble in bubbles):
                self.write(f"            Customer\n              {DIRECT_QUESTION}")
            print_transcript(bubbles, self.stack.tenant.name, self.write)

    def _show_evidence(self, turns: list[TurnEvidence], before: Balance, after: Balance) -> None:
        simulator = self.stack.addresses.simulator_url
        self.write("\nEvidence")
        for check in self._checks:
            self.write(f"  {check}")
        attempts = webhook_attempts(simulator, self.stack.tenant.waha_session)
        self.write(f"  the phone's own webhook: HTTP {', '.join(map(str, attempts)) or 'none'}")
        for turn in turns:
            sends = ", ".join(turn.send_states) or "none"
            self.write(f"  turn {turn.turn_id}: {turn.state}, {turn.disposition}, sends: {sends}")
        for (service, call, status), count in sorted(
            provider_calls(simulator).items(), key=lambda item: item[0][:2]
        ):
            self.write(f"  {service}: {count} × {call} → {status}")
        self.write(f"  credits before: {before}")
        self.write(f"  credits after:  {after}\n")

    def _judge(self, turns: list[TurnEvidence], before: Balance, after: Balance) -> None:
        if len(turns) != 2 or any(turn.state != "done" for turn in turns):  # noqa: PLR2004
            raise wrong(f"not every message has a finished turn; {self._logs()}")
        if any(turn.disposition != "answered" for turn in turns):
            raise wrong(f"not every message counts as answered; {self._logs()}")
        if after.spent - before.spent != len(turns):
            raise wrong(
                f"two replies cost {after.spent - before.spent} credits instead of {len(turns)}"
            )
        if after.held:
            raise wrong(f"{after.held} credits are still held after the last reply")

    def _logs(self) -> str:
        return f"see {self.stack.data_dir / 'logs'}"


def bare_id(answer: dict[str, object]) -> str:
    """WhatsApp's own id of the message in the phone's answer."""
    for name in ("id", "bare_id", "message_id"):
        value = answer.get(name)
        if isinstance(value, str):
            return value.rpartition("_")[2]
    raise wrong("the phone's answer has no message id")


def wrong(reason: str) -> CommandError:
    """The demonstration showed something that must not be."""
    return CommandError(ExitCode.WRONG, reason)


def _all_done(turns: list[TurnEvidence], message_ids: list[str]) -> bool:
    return len(turns) == len(message_ids) and all(turn.state == "done" for turn in turns)
