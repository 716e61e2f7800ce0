"""The opening conversation of `parley up`: one customer, real webhooks, real charges."""

import threading
import time
from collections.abc import Callable

from app.cli.local.balance import Balance, read_balance
from app.cli.local.phone import Phone, fictional_phone, print_transcript
from app.cli.local.stack import LocalStack

SETTLE_S = 5.0


def show_conversation(
    stack: LocalStack, stop: threading.Event, write: Callable[[str], None], *, timeout_s: float
) -> bool:
    """Let a customer ask the demo business and print what was said and what it cost.

    Returns whether every question was answered; an answer that does not come is told, not raised,
    because the stack stays up for looking into it.
    """
    before = read_balance(stack.tenant.tenant_id, stack.environment)
    phone = Phone(stack.addresses.simulator_url, fictional_phone())
    write("A customer writes to the business:\n")
    shown = 0
    for number, question in enumerate(stack.tenant.sample_questions, start=1):
        phone.write(question)
        replies = phone.wait_replies(number, timeout_s, stop)
        if stop.is_set():
            return False
        bubbles = phone.bubbles()
        print_transcript(bubbles[shown:], stack.tenant.name, write)
        shown = len(bubbles)
        if len(replies) < number:
            write(f"\n  No reply within {timeout_s:.0f} s: see {stack.data_dir / 'logs'}")
            return False
    after = settled_balance(stack, stop)
    write(f"\n  Credits: {before.available} before, {after.available} after.\n")
    return True


def settled_balance(stack: LocalStack, stop: threading.Event) -> Balance:
    """The balance once no reply is under way any more, or when waiting is over."""
    deadline = time.monotonic() + SETTLE_S
    balance = read_balance(stack.tenant.tenant_id, stack.environment)
    while balance.held and time.monotonic() < deadline and not stop.wait(0.2):
        balance = read_balance(stack.tenant.tenant_id, stack.environment)
    return balance
