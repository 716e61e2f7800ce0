"""Words for what stands in the books and in the admins' lists: movements, sources, states."""

from collections.abc import Sequence
from typing import Any

from app.dashboard.visit import Visit
from billing.caps import stop_reason


def credit_words(visit: Visit) -> dict[str, Any]:
    """Return what templates call to name codes of credits in the visitor's language."""
    return {
        "stop_reason": lambda stored: stop_reason(stored, visit._),
        "movement_name": lambda kind: movement_name(visit, kind),
        "ledger_kinds": lambda kinds: ledger_kinds(visit, kinds),
        "source_name": lambda source: source_name(visit, source),
        "payment_state": lambda state: payment_state(visit, state),
        "business_status": lambda status: business_status(visit, status),
        "trouble_name": lambda word: trouble_name(visit, word),
        "request_kind": lambda kind: request_kind(visit, kind),
        "request_state": lambda state: request_state(visit, state),
        "platform_group": lambda group: platform_group(visit, group),
        "token_name": lambda model: token_name(visit, model),
    }


def movement_name(visit: Visit, kind: str) -> str:
    """Return what an entry of the ledger did."""
    _ = visit._
    return {
        "grant": _("Credits added"),
        "hold": _("Reserved for a reply"),
        "capture": _("Reply charged"),
        "release": _("Reservation given back"),
        "refund": _("Charge given back"),
        "expire": _("Credits expired"),
        "claw": _("Credits taken back"),
        "settle_owed": _("Paid towards what was owed"),
    }.get(kind, kind)


def ledger_kinds(visit: Visit, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Return the kinds that a ledger can be narrowed to, with their names."""
    _ = visit._
    names = {
        "": _("All movements"),
        "charges": _("Charges"),
        "grants": _("Credits added"),
        "refunds": _("Given back"),
        "expiries": _("Expired"),
        "clawbacks": _("Taken back"),
        "reservations": _("Reservations"),
    }
    return [(kind, names[kind]) for kind in kinds]


def source_name(visit: Visit, source: str | None) -> str:
    """Return where credits came from."""
    _ = visit._
    return {
        "plan": _("From the plan"),
        "promo": _("A gift"),
        "purchase": _("Bought"),
        "correction": _("Correction"),
    }.get(source or "", source or "")


def payment_state(visit: Visit, state: str) -> str:
    """Return how far a payment got."""
    _ = visit._
    return {
        "pending": _("On its way"),
        "paid": _("Paid"),
        "failed": _("Failed"),
        "expired": _("Not finished"),
    }.get(state, state)


def business_status(visit: Visit, status: str) -> str:
    """Return a business's state."""
    _ = visit._
    return {
        "active": _("Active"),
        "suspended": _("Suspended"),
        "closing": _("Closing"),
        "closed": _("Closed"),
    }.get(status, status)


def trouble_name(visit: Visit, word: str) -> str:
    """Return what keeps a business's assistant from answering."""
    _ = visit._
    return {
        "suspended": _("Suspended"),
        "frozen": _("Credits frozen"),
        "owing": _("Owes credits"),
        "no_credits": _("No credits"),
        "stopped": _("Stopped"),
        "numbers_down": _("Number not connected"),
    }.get(word, word)


def request_kind(visit: Visit, kind: str) -> str:
    """Return what an admin asked to do with credits."""
    _ = visit._
    return {"grant": _("Add"), "claw": _("Take back"), "refund": _("Give a charge back")}[kind]


def request_state(visit: Visit, state: str) -> str:
    """Return where a request about credits stands."""
    _ = visit._
    return {
        "requested": _("Waits for a second admin"),
        "approved": _("Approved"),
        "rejected": _("Refused"),
        "applied": _("Done"),
    }[state]


def token_name(visit: Visit, model: str) -> str:
    """Return for which model tokens are priced."""
    return visit._("Any other model") if model == "*" else model


def platform_group(visit: Visit, group: str) -> str:
    """Return the name of a group of the platform's actions."""
    _ = visit._
    return {
        "credits.": _("Credits"),
        "business.": _("Businesses"),
        "impersonation.": _("Acting for a business"),
        "admin.": _("Admins"),
        "account.": _("Accounts"),
        "prices.": _("Prices"),
        "plan.": _("Plans"),
        "deny_list.": _("Networks shut out"),
    }[group]
