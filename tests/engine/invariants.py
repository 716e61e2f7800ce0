"""What is true of a business's rows at every moment, whatever happened, and after the end.

Each check names what it found, so that a machine's counter-example can be read.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from app.messaging.states import ACCEPTED_PART_STATES, LEASED_TURN_STATES, LIVE_TURN_STATES
from tests.engine.wires import Phone, Writer

Row = Mapping[str, Any]
LIVE = frozenset(LIVE_TURN_STATES)
_LEASED = frozenset(LEASED_TURN_STATES)
TAKEN = frozenset(ACCEPTED_PART_STATES)
SAID = frozenset({"answered", "merged", "send_unknown", "handed_off", "failed_handed_off"})
_DELIVERED = 2
# One move each; what a step does is any chain of them.
_MOVES = {
    "queued": {"sending", "failed"},
    "sending": {"queued", "accepted", "sent", "delivered", "read", "unknown", "failed"},
    "unknown": {"accepted", "sent", "delivered", "read", "failed"},
    "accepted": {"sent", "delivered", "read", "failed"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "read": set(),
    "failed": {"delivered", "read"},  # a device's receipt outweighs an error told before it
}
_SNAPSHOT = """
select json_build_object(
    'turns', (select coalesce(json_agg(t), '[]') from (
        select id, conversation_id, state, lease_epoch, lease_owner, lease_until, hold_id,
               end_reason
        from turns where tenant_id = $1 order by id) t),
    'messages', (select coalesce(json_agg(m), '[]') from (
        select id, wa_id, conversation_id, turn_id, disposition
        from messages where tenant_id = $1 and direction = 'in' order by id) m),
    'parts', (select coalesce(json_agg(p), '[]') from (
        select p.id, s.turn_id, s.hold_id, p.part_no, p.state, p.client_message_id, p.wa_id,
               p.ack, p.attempts, p.accepted_at is not null as accepted, p.error
        from send_parts p join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
        where p.tenant_id = $1 order by p.id) p),
    'holds', (select coalesce(json_agg(h), '[]') from (
        select id, job_id, state, captured_ucr, refunded_ucr
        from credit_holds where tenant_id = $1 order by id) h),
    'pending', (select count(*) from inbox_keys where tenant_id = $1 and pending),
    'open_at_desk', (select count(*) from desk_sends where tenant_id = $1 and open),
    'entries', (select count(*) from journal where tenant_id = $1),
    'spent_ucr', (select spent_ucr from wallets where tenant_id = $1))
"""


@dataclass(frozen=True)
class Snapshot:
    """A business's rows at one moment."""

    turns: Sequence[Row]
    messages: Sequence[Row]
    parts: Sequence[Row]
    holds: Sequence[Row]
    pending: int
    open_at_desk: int
    entries: int
    spent_ucr: int

    def turn(self, turn_id: UUID) -> Row:
        return next(t for t in self.turns if t["id"] == str(turn_id))


async def take(connection: asyncpg.Connection, tenant_id: UUID) -> Snapshot:
    return Snapshot(**json.loads(await connection.fetchval(_SNAPSHOT, tenant_id)))


def reachable(state: str) -> set[str]:
    """Every state a part may come to from here."""
    found, new = {state}, {state}
    while new:
        new = {after for each in new for after in _MOVES[each]} - found
        found |= new
    return found


_AFTER = {state: reachable(state) for state in _MOVES}


def breaches(
    before: Snapshot, now: Snapshot, phone: Phone, writer: Writer, forgiven: set[str]
) -> Iterator[str]:
    """What must never be, and is.

    ``forgiven`` names holds that a day of doubt or an error of the server gave back for good.
    """
    yield from _turns_breached(now)
    yield from _messages_breached(before, now)
    yield from _parts_breached(before, now)
    yield from _holds_breached(now, forgiven)
    yield from _phone_breached(now, phone, writer)


def _turns_breached(now: Snapshot) -> Iterator[str]:
    live = Counter(t["conversation_id"] for t in now.turns if t["state"] in LIVE)
    yield from (f"{n} live turns of conversation {c}" for c, n in live.items() if n > 1)
    pending = {h["id"] for h in now.holds if h["state"] == "pending"}
    for turn in now.turns:
        if turn["state"] in _LEASED and turn["lease_until"] is None:
            yield f"turn {turn['id']} is {turn['state']} without a lease, and nobody will claim it"
        if turn["state"] == "held" and turn["hold_id"] not in pending:
            yield f"turn {turn['id']} is held without a pending hold"


def _messages_breached(before: Snapshot, now: Snapshot) -> Iterator[str]:
    live = {t["id"] for t in now.turns if t["state"] in LIVE}
    busy = {t["conversation_id"] for t in now.turns if t["id"] in live}
    known = {m["id"]: m["disposition"] for m in before.messages}
    spellings = Counter(m["wa_id"] for m in now.messages)
    yield from (f"message {w} is stored {n} times" for w, n in spellings.items() if n > 1)
    for message in now.messages:
        name, disposition = message["wa_id"], message["disposition"]
        if disposition is None and message["turn_id"] not in {None, *live}:
            yield f"message {name} has no disposition, and its turn is over"
        waits = disposition is None and message["turn_id"] is None
        if waits and message["conversation_id"] not in busy:
            yield f"message {name} has neither a disposition nor a turn to come"
        was = known.get(message["id"])
        # Who gives a conversation back wants what nobody answered to be answered.
        revived = disposition is None and was in {"human_owned", "paused"}
        if was not in {None, "send_unknown", disposition} and not revived:
            yield f"message {name} was {was} and became {disposition}"
    if gone := known.keys() - {m["id"] for m in now.messages}:
        yield f"messages vanished: {gone}"


def _parts_breached(before: Snapshot, now: Snapshot) -> Iterator[str]:
    earlier = {p["id"]: p for p in before.parts}
    named = Counter(p["wa_id"] for p in now.parts if p["wa_id"])
    yield from (f"{n} parts are said to be message {w}" for w, n in named.items() if n > 1)
    for part in now.parts:
        was = earlier.get(part["id"])
        if was is None:
            continue
        if part["state"] not in _AFTER[was["state"]]:
            yield f"part {part['id']} was {was['state']} and became {part['state']}"
        if part["ack"] < was["ack"]:
            yield f"part {part['id']} lost a tick: {was['ack']} to {part['ack']}"
        if part["client_message_id"] != was["client_message_id"]:
            yield f"part {part['id']} changed its id"


def _holds_breached(now: Snapshot, forgiven: set[str]) -> Iterator[str]:
    live = {t["id"] for t in now.turns if t["state"] in LIVE}
    merged = {t["id"] for t in now.turns if t["end_reason"] == "contacts_merged"}
    for hold in now.holds:
        parts = [p for p in now.parts if p["hold_id"] == hold["id"]]
        doubted = any(p["state"] in {"sending", "unknown"} for p in parts)
        accepted = any(p["accepted"] for p in parts)
        over = hold["job_id"] not in live
        state = hold["state"]
        if state == "pending" and over and not doubted and hold["job_id"] not in merged:
            yield f"hold {hold['id']} is pending and its turn is over"
        if state == "captured" and not accepted:
            yield f"hold {hold['id']} is charged for a reply that nobody took"
        if state == "captured" and not over:
            yield f"hold {hold['id']} is charged before its turn is over"
        # What was given back stays so, also when a device confirms the message afterwards.
        arrived = any(p["state"] in TAKEN and p["ack"] < _DELIVERED for p in parts)
        if state == "released" and arrived and hold["id"] not in forgiven:
            yield f"hold {hold['id']} is released, its reply was taken"
        if hold["refunded_ucr"] and arrived and hold["id"] not in forgiven:
            yield f"hold {hold['id']} is refunded for a reply that arrived"
    jobs = Counter(h["job_id"] for h in now.holds if h["state"] == "captured")
    yield from (f"turn {job} is charged {n} times" for job, n in jobs.items() if n > 1)


def _phone_breached(now: Snapshot, phone: Phone, writer: Writer) -> Iterator[str]:
    shown = [b for b in phone.bubbles if b.text in writer.turn_of]
    yield from _order_breached(now, phone, writer)
    yield from (f"shown {n} times: {t}" for t, n in Counter(b.text for b in shown).items() if n > 1)
    replies = {(writer.turn_of[b.text], writer.answer_of[b.text]) for b in shown}
    yield from (
        f"turn {t} shows {n} replies" for t, n in Counter(t for t, _ in replies).items() if n > 1
    )
    # A notice or an apology says the same to everybody; every other text is of one part.
    unique = writer.turn_of.keys() | set(phone.said_at_desk)
    offered = {t: i for t, i in phone.ids_offered.items() if t in unique}
    yield from (f"{len(i)} ids offered for {t}" for t, i in offered.items() if len(i) > 1)
    held = {t["id"]: t["lease_epoch"] for t in now.turns}
    yield from (
        f"a reply of no turn: {b.text}" for b in shown if str(writer.turn_of[b.text]) not in held
    )


def _order_breached(now: Snapshot, phone: Phone, writer: Writer) -> Iterator[str]:
    """Replies of a thread in the order of its turns, their bubbles in theirs, people's likewise.

    Where ids are not ours, a call that froze for longer than any may take is given up, and what
    it says when it wakes comes late: that is all it can do.
    """
    people = [
        phone.said_at_desk.index(b.text) for b in phone.bubbles if b.text in phone.said_at_desk
    ]
    if people != sorted(set(people)):
        yield f"people's words came twice or out of order: {people}"
    if not phone.honours:
        return
    place = {UUID(t["id"]): (t["conversation_id"], n) for n, t in enumerate(now.turns)}
    last: dict[str, tuple[int, int]] = {}
    for bubble in phone.bubbles:
        turn_id = writer.turn_of.get(bubble.text)
        if turn_id not in place:
            continue
        thread, number = place[turn_id]
        at = (number, int(bubble.text.rpartition(".")[2]))
        if at <= last.get(thread, (-1, -1)):
            yield f"out of order: {bubble.text}"
        last[thread] = at


def unfinished(now: Snapshot) -> Iterator[str]:
    """What is still under way; a final drain has to come to an end of all of it."""
    yield from (f"turn {t['id']} is {t['state']}" for t in now.turns if t["state"] in LIVE)
    yield from (f"message {m['wa_id']}" for m in now.messages if m["disposition"] is None)
    yield from (
        f"part {p['id']} is {p['state']}" for p in now.parts if p["state"] in {"queued", "sending"}
    )
    yield from (f"hold {h['id']}" for h in now.holds if h["state"] == "pending")
    yield from ["an event is not read"] * now.pending
    yield from ["a person's message waits"] * now.open_at_desk


def final_breaches(
    now: Snapshot, phone: Phone, writer: Writer, written: set[str], price_ucr: int
) -> Iterator[str]:
    """What must hold once everything has ended.

    While a call's outcome is not known, the owner's own message of the very same words is taken
    for the reply: an engine that ignored our id would show the same, and saying it again would
    be worse than a word of the owner's counted as ours.
    """
    stored = {m["wa_id"] for m in now.messages}
    yield from (f"message {name} was lost" for name in written - stored)
    told = {str(writer.turn_of[b.text]) for b in phone.bubbles if b.text in writer.turn_of}
    typed = {str(writer.turn_of[t]) for t in phone.typed if t in writer.turn_of}
    # A notice costs nothing and is told by its id: its words are nobody's own.
    shown = {bubble.wa_id for bubble in phone.bubbles}
    noticed = {
        part["turn_id"]
        for part in now.parts
        if part["hold_id"] is None and shown & {part["wa_id"], part["client_message_id"]}
    }
    for message in now.messages:
        turn, disposition = message["turn_id"], message["disposition"]
        if disposition in {"answered", "merged"} and turn not in told | typed | noticed:
            yield f"message {message['wa_id']} is {disposition}, but on no phone"
        if turn in told and disposition not in SAID:
            yield f"message {message['wa_id']} was answered and is {disposition}"
    charged = [h for h in now.holds if h["state"] == "captured" and not h["refunded_ucr"]]
    if now.spent_ucr != price_ucr * len(charged):
        yield f"{now.spent_ucr} spent for {len(charged)} replies"
