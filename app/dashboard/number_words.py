"""Words of the numbers' pages: states and troubles, each with what it means and what to do."""

from dataclasses import dataclass
from typing import Any

from app.dashboard.inbox_words import disposition, reason_name
from app.dashboard.visit import Visit
from app.messaging.numbers.reading import Number, NumberState, state_of


@dataclass(frozen=True, slots=True)
class StateWords:
    """A state in a word, as a sentence, and the kind of its tag and notice."""

    label: str
    text: str
    kind: str


def number_words(visit: Visit) -> dict[str, Any]:
    """Return what templates call to tell how a number fares."""
    return {
        "number_state": lambda number: state_words(visit, number),
        "session_name": lambda status: session_name(visit, status),
        "handover_reason": lambda reason: reason_name(visit, reason),
        "left_reason": lambda code: disposition(visit, code) if code else "",
        "silence_reason": lambda reason: silence_reason(visit, reason),
    }


def state_words(visit: Visit, number: Number) -> StateWords:
    """Return how a number fares, in words."""
    if number.state is NumberState.TROUBLE:
        return _trouble(visit, number.problem or "")
    if number.state is NumberState.OTHER:
        _ = visit._
        text = _(
            "WhatsApp's server tells a state that we do not know: %(word)s.", word=number.status
        )
        return StateWords(_("Unclear"), text, "warning")
    return _states(visit)[number.state]


def session_name(visit: Visit, status: str) -> str:
    """Return a session's state in a word; a new word of WAHA's is shown as it is."""
    known = _states(visit).get(state_of(status))
    return known.label if known else status.replace("_", " ").capitalize()


def _states(visit: Visit) -> dict[NumberState, StateWords]:
    _ = visit._
    return {
        NumberState.NOT_CONNECTED: StateWords(
            _("Not connected"), _("No phone was connected to this number yet."), ""
        ),
        NumberState.STARTING: StateWords(
            _("Starting"), _("The connection is being made. This takes a few seconds."), "info"
        ),
        NumberState.SCAN_QR: StateWords(
            _("Waiting for a scan"), _("Scan the code with the phone of this number."), "info"
        ),
        NumberState.PASSKEY: StateWords(
            _("Waiting for a passkey"),
            _(
                "WhatsApp asks for a passkey, which only its own page can do. On the phone, remove"
                " the passkey under Settings, Account, Passkeys; then reconnect here."
            ),
            "warning",
        ),
        NumberState.PASSKEY_CODE: StateWords(
            _("Waiting for you"), _("Compare the code here with the one on the phone."), "info"
        ),
        NumberState.WORKING: StateWords(
            _("Connected"), _("Messages come in and go out."), "success"
        ),
        NumberState.EXPIRED: StateWords(
            _("Code expired"),
            _("Nobody scanned the code in time. Show a new one when the phone is at hand."),
            "warning",
        ),
        NumberState.LOGGED_OUT: StateWords(
            _("Logged out"),
            _("The phone ended the connection. Scan the code to connect it again."),
            "error",
        ),
        NumberState.FAILED: StateWords(
            _("Connection lost"),
            _(
                "WhatsApp closed the connection. We try again by ourselves; you can too. If it goes"
                " on, open WhatsApp on the phone: it says there whether the number was restricted,"
                " and how to ask for a review."
            ),
            "error",
        ),
        NumberState.STOPPED: StateWords(
            _("Stopped"), _("The connection was stopped. Reconnect to go on."), "error"
        ),
        NumberState.PAUSED: StateWords(
            _("Paused"), _("You paused this number. The phone stays paired."), ""
        ),
    }


def _trouble(visit: Visit, problem: str) -> StateWords:
    _ = visit._
    texts = {
        "unreachable": _("The WhatsApp server does not answer. We keep trying."),
        "unauthorized": _("The WhatsApp server refuses our key. Check it."),
        "missing": _("The WhatsApp server does not know this number any more. Reconnect it."),
        "taken": _("Its session on the WhatsApp server belongs to somebody else."),
        "refused": _(
            "The WhatsApp server refuses to make a session. Version 2026.6.1 or newer can hold"
            " several."
        ),
        "not_waha": _("Something else than WAHA answers at the server's address."),
    }
    return StateWords(_("Out of reach"), texts[problem], "error")


def silence_reason(visit: Visit, reason: str) -> str:
    """Return why messages got no answer from the assistant, as a short label."""
    _ = visit._
    return {
        "human_owned": _("People had the conversation"),
        "paused": _("The assistant was paused"),
        "out_of_hours": _("Outside opening hours"),
        "no_credit": _("No credits"),
        "rate_limited": _("Too many at once"),
        "daily_cap": _("Daily cap of a contact"),
        "opted_out": _("The customer does not want automatic answers"),
        "blocked": _("Blocked contact"),
        "suspended": _("The business was suspended"),
        "too_old": _("Arrived too late"),
        "ignored_kind": _("Not a kind of message to answer"),
        "empty": _("Nothing in it to answer"),
        "loop_brake": _("Stopped going in circles"),
        "send_unknown": _("Unclear whether the answer arrived"),
    }.get(reason, reason.replace("_", " "))
