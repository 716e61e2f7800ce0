"""Plans and top-up packages: what is for sale, read by everyone and edited by admins.

Each edit is on record with what was before and after. A plan that is in use is never deleted:
it is no longer offered. An edit holds from the next period on for credits and price, at once
for weight and limits.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError
from tenants import account_log
from tenants.service import Actor

VALID_DAYS_MAX = 3_650
_CODE_CHARS_MAX = 40
_PLAN_COLUMNS = (
    "code, name, weight, turn_per_min, turn_burst, max_inflight, send_per_min, send_burst,"
    " monthly_credits_ucr, price_minor, currency, offered"
)
_PACKAGE_COLUMNS = "code, name, credits_ucr, price_minor, currency, valid_days, offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a tenant may use a month, and what it pays for that (minor units of ``currency``)."""

    code: str
    name: str
    weight: int = 1
    turn_per_min: int = 60
    turn_burst: int = 20
    max_inflight: int = 8
    send_per_min: int = 20
    send_burst: int = 5
    monthly_credits_ucr: int = 0
    price_minor: int = 0
    currency: str = "EUR"
    offered: bool = True

    @property
    def rank(self) -> tuple[int, int, int]:
        """What makes one plan more than another: price, then credits, then weight."""
        return self.price_minor, self.monthly_credits_ucr, self.weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Credits that can be bought at once; without ``valid_days`` they do not expire."""

    code: str
    name: str
    credits_ucr: int
    price_minor: int
    currency: str = "EUR"
    valid_days: int | None = None
    offered: bool = True


async def plans(connection: AsyncConnection, *, offered_only: bool = True) -> list[Plan]:
    """List plans, the cheapest first."""
    rows = await connection.execute(_PLANS, {"offered_only": offered_only})
    return [Plan(**row._mapping) for row in rows]  # noqa: SLF001


async def plan(connection: AsyncConnection, code: str) -> Plan:
    """Read one plan; NotFoundError when there is none."""
    row = (await connection.execute(_PLAN, {"code": code})).one_or_none()
    if row is None:
        raise NotFoundError("There is no plan “%(code)s”.", code=code)
    return Plan(**row._mapping)  # noqa: SLF001


async def packages(connection: AsyncConnection, *, offered_only: bool = True) -> list[Package]:
    """List top-up packages, the cheapest first (system scope)."""
    rows = await connection.execute(_PACKAGES, {"offered_only": offered_only})
    return [Package(**row._mapping) for row in rows]  # noqa: SLF001


async def package(connection: AsyncConnection, code: str) -> Package:
    """Read one top-up package (system scope); NotFoundError when there is none."""
    row = (await connection.execute(_PACKAGE, {"code": code})).one_or_none()
    if row is None:
        raise NotFoundError("There is no top-up package “%(code)s”.", code=code)
    return Package(**row._mapping)  # noqa: SLF001


async def save_plan(connection: AsyncConnection, terms: Plan, actor: Actor, reason: str) -> None:
    """Make or change a plan (system scope); RefusedError says which term cannot be."""
    _check(terms.code, terms.currency, reason)
    positive = ("turn_per_min", "turn_burst", "max_inflight", "send_per_min", "send_burst")
    wrong = [name for name in positive if getattr(terms, name) < 1]
    wrong += [n for n in ("monthly_credits_ucr", "price_minor") if getattr(terms, n) < 0]
    if wrong or not 1 <= terms.weight <= 100:  # noqa: PLR2004
        raise RefusedError(
            "Limits are at least 1, weight is 1 to 100, amounts are not negative: %(wrong)s.",
            wrong=", ".join(wrong) or "weight",
        )
    before = (await connection.execute(_PLAN_LOCKED, {"code": terms.code})).one_or_none()
    await connection.execute(_SAVE_PLAN, asdict(terms))
    await _note(connection, actor, "plan", before, asdict(terms), reason)


async def save_package(
    connection: AsyncConnection, terms: Package, actor: Actor, reason: str
) -> None:
    """Make or change a top-up package (system scope); RefusedError says what cannot be."""
    _check(terms.code, terms.currency, reason)
    if terms.credits_ucr <= 0 or terms.price_minor <= 0:
        raise RefusedError("A top-up package needs credits and a price above 0.")
    if terms.valid_days is not None and not 1 <= terms.valid_days <= VALID_DAYS_MAX:
        raise RefusedError("Credits are valid for 1 to 3650 days; leave it out for ones that stay.")
    before = (await connection.execute(_PACKAGE_LOCKED, {"code": terms.code})).one_or_none()
    await connection.execute(_SAVE_PACKAGE, asdict(terms))
    await _note(connection, actor, "top_up_package", before, asdict(terms), reason)


def _check(code: str, currency: str, reason: str) -> None:
    if not (code.isascii() and code.replace("-", "").replace("_", "").isalnum()):
        raise RefusedError("A code is made of letters, digits, - and _.")
    if len(code) > _CODE_CHARS_MAX:
        raise RefusedError("A code has at most %(most)s characters.", most=_CODE_CHARS_MAX)
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):  # noqa: PLR2004
        raise RefusedError("A currency is three capital letters (ISO 4217), e.g. EUR.")
    if not reason.strip():
        raise RefusedError("Say why: the reason goes on record.")


async def _note(  # noqa: PLR0917 - private, all by position
    connection: AsyncConnection,
    actor: Actor,
    kind: str,
    before: Any,
    after: dict[str, Any],
    reason: str,
) -> None:
    old = dict(before._mapping) if before is not None else None  # noqa: SLF001
    changed = {k: v for k, v in after.items() if old is None or old[k] != v}
    await account_log.note(
        connection,
        actor,
        action=f"{kind}.{'create' if old is None else 'change'}",
        subject=str(after["code"]),
        before={k: old[k] for k in changed} if old is not None else None,
        after=changed,
        reason=reason,
    )


def _upsert(table: str, columns: str) -> str:
    names = columns.split(", ")
    values = ", ".join(f":{name}" for name in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != "code")
    return (
        f"insert into {table} ({columns}) values ({values})"  # noqa: S608 - our own names
        f" on conflict (code) do update set {changes}"
    )


_PLANS = text(
    f"select {_PLAN_COLUMNS} from plans where offered or not :offered_only"  # noqa: S608
    " order by price_minor, monthly_credits_ucr, code"
)
_PLAN = text(f"select {_PLAN_COLUMNS} from plans where code = :code")  # noqa: S608
_PLAN_LOCKED = text(f"select {_PLAN_COLUMNS} from plans where code = :code for update")  # noqa: S608
_SAVE_PLAN = text(_upsert("plans", _PLAN_COLUMNS))
_PACKAGES = text(
    f"select {_PACKAGE_COLUMNS} from top_up_packages where offered or not :offered_only"  # noqa: S608
    " order by price_minor, code"
)
_PACKAGE = text(f"select {_PACKAGE_COLUMNS} from top_up_packages where code = :code")  # noqa: S608
_PACKAGE_LOCKED = text(
    f"select {_PACKAGE_COLUMNS} from top_up_packages where code = :code for update"  # noqa: S608
)
_SAVE_PACKAGE = text(_upsert("top_up_packages", _PACKAGE_COLUMNS))
