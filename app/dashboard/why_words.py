"""Words of "why did it say this?": what each check found, what each tool did."""

from collections.abc import Sequence
from typing import Any

from app.assistant.trace import WhyFinding, WhyTool
from app.dashboard.visit import Visit


def why_words(visit: Visit) -> dict[str, Any]:
    """Return what the page calls to name things in the visitor's language."""
    return {
        "checks": lambda findings: checks(visit, findings),
        "tool_name": lambda tool: tool_name(visit, tool),
        "tool_outcome": lambda tool: tool_outcome(visit, tool),
    }


def checks(visit: Visit, findings: Sequence[WhyFinding]) -> list[tuple[str, str]]:
    """Return what the checks found and what followed, each once: two sentences."""
    _ = visit._
    found = {
        "injection": _("Somebody seems to have tried to give the assistant orders."),
        "leak": _("A draft showed internal instructions."),
        "secret": _("A draft had something like a password, card or account number in it."),
        "contact": _("A draft named a number or address that you did not give."),
        "link": _("A draft had a link that is not one of yours."),
        "promise": _("A draft promised or claimed something that nobody did."),
        "language": _("A draft was not in the customer’s language."),
        "shape": _("A draft was not a message that a customer can read."),
    }
    followed = {
        "note": _("Noted; nothing else came of it."),
        "remove": _("It was taken out."),
        "repair": _("It was not sent; another draft was asked for."),
        "advise": _("Another draft was asked for."),
        "block": _("It was not sent; people were asked to answer."),
    }
    told = [(found.get(f.guard, ""), followed.get(f.ruling, "")) for f in findings]
    return list(dict.fromkeys(pair for pair in told if all(pair)))


def tool_name(visit: Visit, tool: WhyTool) -> str:
    """Return what a tool is for; a business's own is called by its name."""
    _ = visit._
    return {
        "search_knowledge": _("Searched your knowledge"),
        "hand_to_person": _("Asked for a person"),
        "resolve_date": _("Worked out a date"),
        "check_hours": _("Looked at your hours"),
        "remember": _("Remembered something about the customer"),
        "verify_customer": _("Checked who the customer is"),
        "unknown": _("Asked for a tool that does not exist"),
    }.get(tool.name, tool.name)


def tool_outcome(visit: Visit, tool: WhyTool) -> str:
    """Return how a call went."""
    _ = visit._
    return {
        "ok": _("worked"),
        "refused": _("not allowed"),
        "failed": _("did not work"),
    }.get(tool.outcome, tool.outcome)
