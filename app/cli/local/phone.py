"""The simulated customers' phones, and the conversation that is shown on the console."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.cli.local.http_client import request

POLL_S = 0.1
OK_LAST = 299
# North American numbers 555-0100 to 555-0199 belong to nobody.
AREA_CODES = ("202", "212", "303", "312", "404", "415", "503", "512", "602", "617", "702", "808")


class PhoneError(Exception):
    """The simulator refused something; the message has its answer."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message on a phone; `ticks` 0 waiting, 1 sent, 2 delivered, 3 read."""

    id: str
    author: str
    text: str
    at_ms: int
    ticks: int


def fictional_phone() -> str:
    """A number in digits that no subscriber can have."""
    return f"1{random.choice(AREA_CODES)}55501{random.randrange(100):02d}"  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Phone:
    """One customer's phone at the simulator."""

    simulator_url: str
    number: str

    def write(self, text: str) -> dict[str, Any]:
        """The customer sends a message; the simulator's answer with its ids."""
        answer = request("POST", self._url(), payload={"text": text})
        if answer.status > OK_LAST:
            raise PhoneError(f"the phone answered {answer.status}: {answer.body[:300]!r}")
        value: dict[str, Any] = answer.json()
        return value

    def bubbles(self) -> list[Bubble]:
        """What the phone shows, in order."""
        rows = request("GET", self._url()).json()["messages"]
        return [
            Bubble(
                id=str(row["id"]),
                author=str(row["author"]),
                text=str(row.get("text") or ""),
                at_ms=int(row["at_ms"]),
                ticks=int(row.get("ticks") or 0),
            )
            for row in rows
        ]

    def replies(self) -> list[Bubble]:
        """What the assistant has sent to this phone."""
        return [bubble for bubble in self.bubbles() if bubble.author == "assistant"]

    def wait_replies(self, count: int, timeout_s: float, stop: threading.Event) -> list[Bubble]:
        """The replies once there are `count`, or those there are when time is up."""
        deadline = time.monotonic() + timeout_s
        replies = self.replies()
        while len(replies) < count and time.monotonic() < deadline and not stop.wait(POLL_S):
            replies = self.replies()
        return replies

    def _url(self) -> str:
        return f"{self.simulator_url}/_sim/customers/{self.number}/messages"


def print_transcript(
    bubbles: list[Bubble], business: str, write: Callable[[str], None], *, width: int = 76
) -> None:
    """Write a conversation with times; the assistant's lines are indented."""
    import textwrap

    for bubble in bubbles:
        at = datetime.fromtimestamp(bubble.at_ms / 1000).astimezone().strftime("%H:%M:%S")
        who = "Customer" if bubble.author == "customer" else business
        pad = "  " if bubble.author == "customer" else "      "
        write(f"{pad}{at}  {who}")
        for paragraph in bubble.text.splitlines() or [""]:
            for line in textwrap.wrap(paragraph, width - len(pad) - 10) or [""]:
                write(f"{pad}          {line}")
