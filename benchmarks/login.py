"""`parley bench login`: whether the time of a refusal tells that an account exists.

Known and unknown accounts, each with a wrong password, asked for in turn in random order, so
that whatever else the machine does meets both alike.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from app.core.db.engine import Database
from app.core.errors import NotSignedInError
from app.core.limits.types import Check, Fallback, Verdict
from app.core.passwords import PasswordHasher
from benchmarks.figures import Column, Report, median, percentile
from benchmarks.servers import Servers, servers
from tenants import users
from tenants.accounts import Accounts
from tenants.devices import Device

_WRONG = "not the password of anybody"
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """Attempts of each kind a run, and accounts that exist."""

    attempts: int = 150
    accounts: int = 50


class Unlimited:
    """Admits everything: what is measured is the answer, not the throttle before it."""

    async def decide(
        self, checks: Sequence[Check], *, fallback: Fallback = Fallback.LOCAL
    ) -> Verdict:
        """Admit."""
        del fallback
        policy = checks[0].policy
        return Verdict(
            allowed=True,
            policy=policy.name,
            retry_after_s=0.0,
            remaining=policy.burst,
            reset_s=0.0,
            limit=policy.limit,
        )

    async def decide_many(
        self, decisions: Sequence[Sequence[Check]], *, fallback: Fallback = Fallback.LOCAL
    ) -> list[Verdict]:
        """Admit all."""
        return [await self.decide(checks, fallback=fallback) for checks in decisions]

    async def close(self) -> None:
        """Nothing is open."""


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine:
        return measure(machine, runs, Scale())


def measure(machine: Servers, runs: int, scale: Scale) -> Report:
    """Measure ``runs`` times; the figures are medians over the runs."""
    pairs = [asyncio.run(_measure(machine, scale)) for _ in range(runs)]
    known = [median(p[0]) for p in pairs]
    unknown = [median(p[1]) for p in pairs]
    differences = [abs(k - u) for k, u in zip(known, unknown, strict=True)]
    chances = [tell_apart(*p) for p in pairs]
    columns = [
        Column("known account, ms", known),
        Column("unknown account, ms", unknown),
        Column("difference of the medians, ms", differences),
        Column("chance that one attempt tells which, %", [100 * c for c in chances], "about 50"),
    ]
    spread = [percentile(p[0], 0.75) - percentile(p[0], 0.25) for p in pairs]
    figures = {
        "known_ms": median(known),
        "unknown_ms": median(unknown),
        "difference_ms": median(differences),
        "spread_ms": median(spread),
        "chance_to_tell": median(chances),
    }
    notes = [
        f"{scale.attempts} attempts of each kind a run, in random order",
        f"half of the answers for one known account lie within {median(spread):.1f} ms",
    ]
    return Report("login", figures, columns, notes)


def tell_apart(first: list[float], second: list[float]) -> float:
    """The chance that a time of one kind is longer than one of the other (0.5: no information).

    The area under the ROC curve, or Mann and Whitney's U over all pairs; never below 0.5.
    """
    wins = sum((a > b) + _SHARE * (a == b) for a in first for b in second)
    share = wins / (len(first) * len(second))
    return max(share, 1 - share)


async def _measure(machine: Servers, scale: Scale) -> tuple[list[float], list[float]]:
    database = Database.from_settings(machine.settings, pool_size=4)
    hasher = PasswordHasher()
    accounts = Accounts(database, Unlimited(), machine.settings, hasher)
    try:
        emails = await _people(database, hasher, scale.accounts)
        asks = [(random.choice(emails), True) for _ in range(scale.attempts)]
        asks += [(f"{uuid4().hex}@example.org", False) for _ in range(scale.attempts)]
        random.shuffle(asks)
        times: dict[bool, list[float]] = {True: [], False: []}
        for warm in emails[:5]:
            await _refused(accounts, warm)
        for email, exists in asks:
            times[exists].append(await _refused(accounts, email))
    finally:
        await database.close()
    return times[True], times[False]


async def _people(database: Database, hasher: PasswordHasher, count: int) -> list[str]:
    stored = await hasher.hash("the password of everybody")
    emails = [f"{uuid4().hex}@example.org" for _ in range(count)]
    async with database.system() as connection:
        for email in emails:
            user_id = await users.insert(connection, email=email, name="P", password_hash=stored)
            if user_id is not None:
                await users.verify_email(connection, user_id)
    return emails


async def _refused(accounts: Accounts, email: str) -> float:
    """How long a refusal takes, in ms."""
    began_s = time.perf_counter()
    try:
        await accounts.sign_in(email, _WRONG, Device("127.0.0.1", "Benchmark"))
    except NotSignedInError:
        return (time.perf_counter() - began_s) * 1000
    raise RuntimeError("a wrong password signed somebody in")
