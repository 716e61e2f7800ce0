"""Words of the inbox: views, who has a conversation, why a message was not answered, ticks."""

import re
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from app.dashboard.visit import Visit
from app.messaging.desk.listing import View
from app.messaging.desk.thread import Head, Line

_SILENT = {"answered", "merged"}
# Of our messages: those that never left, because something spoke against it in time.
_UNSENT = {"too_old", "human_takeover", "not_sent", "opted_out", "blocked", "suspended", "paused"}
_LINK = re.compile(r"https?://[^\s<>\"]+")
# What ends a sentence is no part of the address in it.
_AFTER_LINK = ".,;:!?)]}'»”’…"
_ICONS = {
    "queued": "clock",
    "sending": "clock",
    "accepted": "check",
    "sent": "check",
    "delivered": "check-check",
    "read": "check-check",
    "failed": "circle-alert",
    "unknown": "circle-help",
}


def inbox_words(visit: Visit) -> dict[str, Any]:
    """Return what the inbox's templates call to name things in the visitor's language."""
    return {
        "view_name": lambda view: view_name(visit, view),
        "view_empty": lambda view: view_empty(visit, view),
        "reason_name": lambda reason: reason_name(visit, reason),
        "silence": lambda line: silence(visit, line),
        "disposition": lambda told: disposition(visit, told.disposition),
        "left_told": lambda head: disposition(visit, head.left_as) if head.left_as else "",
        "tick": lambda line: (_ICONS[line.part_state], tick(visit, line)),
        "has_file": lambda line: line.media_state in {"stored", "ready"} and line.size_bytes,
        "kind_name": lambda kind: kind_name(visit, kind),
        "owner_told": lambda head, names: owner_told(visit, head, names),
        "day_name": lambda moment: day_name(visit, moment),
        "clock": visit.formats.clock,
        "linked": linked,
        "row_time": lambda moment: row_time(visit, moment),
        "same_day": lambda one, other: _day(visit, one) == _day(visit, other),
        "duration": visit.formats.duration,
    }


def linked(text: str) -> Markup:
    """Return a message's text with its web addresses as links; everything in it is escaped."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        address = found.group().rstrip(_AFTER_LINK)
        parts += [escape(text[end : found.start()]), _anchor(address)]
        end = found.start() + len(address)
    return Markup("").join([*parts, escape(text[end:])])


def _anchor(address: str) -> Markup:
    """Return a link that tells nobody where it was followed from."""
    opened = Markup('<a class="link" href="{}" target="_blank" rel="noopener noreferrer nofollow">')
    return opened.format(address) + escape(address) + Markup("</a>")


def view_name(visit: Visit, view: View) -> str:
    """Return a view's name."""
    _ = visit._
    return {
        View.PEOPLE: _("Waiting for a person"),
        View.MINE: _("Mine"),
        View.UNASSIGNED: _("Unassigned"),
        View.ASSISTANT: _("Assistant"),
        View.PAUSED: _("Paused"),
        View.SNOOZED: _("Snoozed"),
        View.RESOLVED: _("Resolved"),
        View.ALL: _("All"),
    }[view]


def view_empty(visit: Visit, view: View) -> tuple[str, str]:
    """Return what an empty view says: a title, and what to do next."""
    _ = visit._
    return {
        View.PEOPLE: (
            _("Nobody is waiting"),
            _("What the assistant hands over appears here. Look under “Assistant” meanwhile."),
        ),
        View.MINE: (
            _("Nothing is yours yet"),
            _("Take a conversation over, or assign it to yourself, and it stands here."),
        ),
        View.UNASSIGNED: (
            _("Everything has its person"),
            _("Conversations that wait for a person and have none appear here."),
        ),
        View.ASSISTANT: (
            _("The assistant has nothing to do"),
            _("As soon as a customer writes to your number, you can watch the answer here."),
        ),
        View.PAUSED: (
            _("Nothing is paused"),
            _("Pause a conversation to think about it in peace."),
        ),
        View.SNOOZED: (
            _("Nothing is snoozed"),
            _("Snoozed conversations come back by themselves."),
        ),
        View.RESOLVED: (
            _("Nothing is resolved yet"),
            _("Resolve a conversation when it is done. It opens again when the customer writes."),
        ),
        View.ALL: (
            _("No conversations yet"),
            _("As soon as a customer writes to your number, the conversation appears here."),
        ),
    }[view]


def reason_name(visit: Visit, reason: str | None) -> str:
    """Return why people own a conversation; empty when nobody said."""
    _ = visit._
    return {
        "customer_request": _("The customer asked for a person."),
        "missing_knowledge": _("The assistant did not know the answer."),
        "unsupported_request": _("The customer wants something the assistant cannot do."),
        "policy_restriction": _("Your rules leave this to people."),
        "tool_failure": _("Something did not work, so people were asked."),
        "pending_clarification": _("The assistant could not make out what was meant."),
        "usage_limit": _("A limit of yours was reached."),
        "human_takeover": "",
        "loop_brake": _("Two machines seemed to answer each other."),
        "no_credit": _("There were no credits left."),
    }.get(reason or "", "")


def disposition(visit: Visit, code: str | None) -> str:
    """Return what became of a customer's message, as a sentence."""
    _ = visit._
    return {
        None: _("The assistant has not decided about this message yet."),
        "answered": _("The assistant answered this message."),
        "merged": _("Answered together with the customer’s next message."),
        "human_owned": _("People own this conversation, so the assistant stayed silent."),
        "paused": _("The assistant is paused, here or for the whole business."),
        "out_of_hours": _("The assistant does not answer at this hour."),
        "no_credit": _("There were no credits left, so people were asked to answer."),
        "rate_limited": _("This customer wrote faster than the assistant may answer."),
        "daily_cap": _("Your spending limit was reached, so people were asked to answer."),
        "opted_out": _("The customer asked not to be answered by the assistant."),
        "blocked": _("The contact is blocked."),
        "suspended": _("The account is suspended."),
        "too_old": _("The message arrived too late to be answered by the assistant."),
        "ignored_kind": _("This kind of message needs no answer."),
        "empty": _("The message had no content that could be read."),
        "loop_brake": _("Two machines seemed to answer each other, so the assistant stopped."),
        "handed_off": _("The assistant handed the conversation to people."),
        "failed_handed_off": _(
            "The reply could not be made or sent, so people were asked to answer."
        ),
        "send_unknown": _("The reply went to WhatsApp, but its arrival is not confirmed."),
    }.get(code, "")


def silence(visit: Visit, line: Line) -> str:
    """Return why the assistant did not answer a message; empty where it did, or will."""
    if line.direction != "in" or line.disposition is None or line.disposition in _SILENT:
        return ""
    if line.revoked_at and line.disposition == "empty":
        return visit._("The customer deleted it before it was answered.")
    return disposition(visit, line.disposition)


def tick(visit: Visit, line: Line) -> str:
    """Return how far one of our messages came, in words."""
    _ = visit._
    if line.part_state == "failed" and line.part_error in _UNSENT:
        return {
            "too_old": _("Not sent: it could not leave in time"),
            "human_takeover": _("Not sent: people had taken over"),
            "opted_out": _("Not sent: the customer wants no automatic answers"),
            "blocked": _("Not sent: the contact was blocked"),
            "suspended": _("Not sent: the account was suspended"),
            "paused": _("Not sent: the assistant was paused"),
        }.get(line.part_error, _("Not sent"))
    return {
        "queued": _("Waiting to be sent"),
        "sending": _("Being sent"),
        "accepted": _("Taken by WhatsApp"),
        "sent": _("Sent"),
        "delivered": _("Delivered"),
        "read": _("Read"),
        "failed": _("Not delivered"),
        "unknown": _("Not confirmed: look at the phone before you send it again"),
    }[line.part_state or "queued"]


def kind_name(visit: Visit, kind: str | None) -> str:
    """Return what a message without words is."""
    _ = visit._
    return {
        "image": _("Picture"),
        "video": _("Video"),
        "audio": _("Voice message"),
        "document": _("Document"),
        "sticker": _("Sticker"),
        "location": _("Location"),
        "contact": _("Contact card"),
    }.get(kind or "", _("Message without text"))


def owner_told(visit: Visit, head: Head, names: dict[Any, str]) -> str:
    """Return who has a conversation, and until when."""
    _ = visit._
    if head.owner == "people":
        return _people_told(visit, head, names)
    return {
        "assistant": _assistant_told(visit, head),
        "paused": _("Paused until %(when)s.", when=row_time(visit, head.paused_until)),
        "snoozed": _("Snoozed until %(when)s.", when=row_time(visit, head.snoozed_until))
        if head.snoozed_until
        else _("Snoozed."),
        "resolved": _("Resolved. It opens again when the customer writes."),
    }[head.owner]


def _assistant_told(visit: Visit, head: Head) -> str:
    _ = visit._
    if head.answering:
        return _("The assistant is answering…")
    if head.left_as:
        return _("Waiting for a person.")
    bar = ("blocked" if head.blocked_at else None) or ("opted_out" if head.opted_out_at else None)
    return disposition(visit, bar) if bar else _("The assistant answers.")


def _people_told(visit: Visit, head: Head, names: dict[Any, str]) -> str:
    _ = visit._
    who, until = names.get(head.assignee_id), head.human_until
    if until is None:
        return _("%(name)s answers.", name=who) if who else _("Waiting for a person.")
    when = row_time(visit, until)
    if who:
        return _("%(name)s answers until %(when)s, then the assistant.", name=who, when=when)
    return _("People answer until %(when)s, then the assistant.", when=when)


def day_name(visit: Visit, moment: datetime) -> str:
    """Return a day as a separator says it: today, yesterday, or its date."""
    day, today = _day(visit, moment), _day(visit, visit.now)
    if day == today:
        return visit._("Today")
    if day == today - timedelta(days=1):
        return visit._("Yesterday")
    return visit.formats.date(moment)


def row_time(visit: Visit, moment: datetime | None) -> str:
    """Return a moment as short as it can be understood: the clock today, else the day."""
    if moment is None:
        return ""
    if _day(visit, moment) == _day(visit, visit.now):
        return visit.formats.clock(moment)
    if abs(moment - visit.now) < timedelta(days=2):
        return f"{visit.formats.short_date(moment)}, {visit.formats.clock(moment)}"
    return visit.formats.short_date(moment)


def _day(visit: Visit, moment: datetime) -> Any:
    return moment.astimezone(visit.formats.zone).date()
