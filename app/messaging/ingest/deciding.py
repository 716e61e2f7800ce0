"""What becomes of a new message: a turn, a turn that a fixed text answers, or a disposition."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from app.messaging.attendance import Attendance, attendance
from app.messaging.conversations import Thread, ThreadKey
from app.messaging.dispositions import Situation, decide
from app.messaging.ingest.items import Item
from app.messaging.states import Disposition, Notice

Decided: TypeAlias = tuple[Item, Thread, Disposition | None]
# Who comes back hears that it worked, whatever else would keep the assistant from answering.
_NO_BAR_TO_COMING_BACK = {None, Disposition.OUT_OF_HOURS, Disposition.NO_CREDIT}


def decide_one(item: Item, thread: Thread, *, can_pay: bool) -> Disposition | None:
    """Return the disposition of a message that gets no turn; sets the item's notice."""
    hours = attendance(item.channel, item.channel.now)
    situation = Situation(
        tenant_active=item.channel.tenant_status == "active",
        blocked=thread.blocked,
        opted_out=thread.opted_out,
        people_own=thread.people_own,
        paused=thread.paused or hours.off,
        out_of_hours=hours.out_of_hours,
        can_pay=can_pay,
        answer_max_age_s=item.channel.answer_max_age_s,
    )
    message = item.message
    disposition = decide(message.kind, message.sent_at, item.channel.now, situation)
    item.notice = _notice(item, thread, disposition, hours)
    return None if item.notice else disposition


def _notice(
    item: Item, thread: Thread, disposition: Disposition | None, hours: Attendance
) -> Notice | None:
    silent = thread.people_own or thread.paused or hours.off
    if item.opting is Notice.OPTED_OUT and disposition is Disposition.OPTED_OUT and not silent:
        return Notice.OPTED_OUT
    if item.opting is Notice.OPTED_IN and disposition in _NO_BAR_TO_COMING_BACK:
        return Notice.OPTED_IN
    tells = hours.closed_until and item.channel.has_closed_text and not thread.closed_told
    return Notice.CLOSED if disposition is Disposition.OUT_OF_HOURS and tells else None


def tell_closed_once(decided: list[Decided]) -> Mapping[ThreadKey, tuple[UUID, datetime]]:
    """Leave the closed-text to each thread's first message; return what each was told."""
    told: dict[ThreadKey, tuple[UUID, datetime]] = {}
    contacts: set[tuple[UUID, UUID]] = set()
    for n, (item, thread, _) in enumerate(decided):
        if item.notice is not Notice.CLOSED:
            continue
        contact = (thread.key.tenant_id, thread.key.contact_id)
        until = attendance(item.channel, item.channel.now).closed_until
        if contact in contacts or until is None:
            item.notice = None
            decided[n] = (item, thread, Disposition.OUT_OF_HOURS)
        else:
            contacts.add(contact)
            told[thread.key] = (thread.id, until)
    return told
