"""The verdict on a drill: what was lost, said twice, out of order, or does not add up."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from benchmarks.chaos.evidence import Evidence, Part, Received, Shown
from benchmarks.chaos.marks import token_of_mark

ANSWERED = frozenset({"answered", "merged"})
TAKEN = frozenset({"accepted", "sent", "delivered", "read"})


@dataclass(frozen=True, slots=True)
class Written:
    """A message that a customer wrote, in the order of writing."""

    token: str
    phone: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings in words; empty lists are what was promised.

    `overtaken` counts answers against the order of writing that the world caused by delivering
    messages late; the product answers in the order in which it has them. `doubted` counts sends
    whose answer was lost, by the evidence that settled them; `unknown` those nothing settled.
    `cut_short` counts replies of which bubbles were not sent, because one before them was in doubt.
    `visible` replies on the phones cost `spent_credits`, one each; unknown ones cost nothing.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    dispositions: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    cut_short: int = 0
    visible: int = 0
    overtaken: int = 0
    spent_credits: Decimal | None = None

    @property
    def answered(self) -> int:
        """Messages that ended in a reply."""
        return sum(self.dispositions[name] for name in ANSWERED)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.out_of_order or self.drift)


def judge(written: Sequence[Written], evidence: Evidence) -> Verdict:
    """Hold what was written against what the product has and what the phones show."""
    received = {r.token: r for r in evidence.received}
    turns = _turns(evidence)
    places = {phone: _places(shown, turns) for phone, shown in evidence.phones.items()}
    unknown, unsaid = _unknown(evidence), _unsaid(evidence)
    return Verdict(
        lost=list(_lost(written, received, places, unsaid)),
        doubled=[*_doubled(evidence), *_misdirected(written, evidence)],
        out_of_order=[
            *_out_of_order(written, evidence.received, places),
            *_parts_out_of_order(evidence),
        ],
        drift=[*evidence.findings, *_wrongly_spent(evidence, unknown)],
        dispositions=Counter(r.disposition or "none" for r in evidence.received),
        doubted=Counter(_settled_by(p) for p in evidence.parts if _was_doubted(p)),
        unknown=unknown,
        cut_short=len({turns[mark] for mark in unsaid}),
        visible=_visible(evidence),
        overtaken=_inversions(written, places),
        spent_credits=evidence.spent_credits,
    )


def _visible(evidence: Evidence) -> int:
    """Replies on the phones: bubbles of one turn are one."""
    turns = _turns(evidence)
    return sum(len({_reply(b, turns) for b in shown}) for shown in evidence.phones.values())


def _turns(evidence: Evidence) -> Mapping[str, str | None]:
    """The turn that each mark was answered in."""
    return {mark: part.turn_id for part in evidence.parts for mark in part.marks}


def _reply(bubble: Shown, turns: Mapping[str, str | None]) -> str | None:
    """What all bubbles of a reply have in common."""
    return next((turns[mark] for mark in bubble.marks if mark in turns), bubble.id)


def _wrongly_spent(evidence: Evidence, unknown: Counter[str]) -> Iterator[str]:
    """A reply costs one credit where it was seen, unless nobody could tell that it was."""
    if evidence.spent_credits is None:
        return
    shown = _visible(evidence)
    if evidence.spent_credits != shown - unknown["shown"]:
        yield (
            f"{evidence.spent_credits:f} credits spent for {shown} replies on phones,"
            f" {unknown['shown']} of them unknown to us"
        )


def _places(shown: Sequence[Shown], turns: Mapping[str, str | None]) -> dict[str, int]:
    """The place of the first reply that names each token; within one the model chose the order."""
    places: dict[str, int] = {}
    begun: dict[str | None, int] = {}
    for place, bubble in enumerate(shown):
        began = begun.setdefault(_reply(bubble, turns), place)
        for mark in bubble.marks:
            places.setdefault(mark, began)
    return places


def _lost(
    written: Sequence[Written],
    received: Mapping[str, Received],
    places: Mapping[str, Mapping[str, int]],
    unsaid: Collection[str],
) -> Iterator[str]:
    for message in written:
        row = received.get(message.token)
        if message.token in places.get(message.phone, {}):
            # It was seen; the reason why has to be there all the same.
            if row is None or row.disposition is None:
                yield f"{message.token} was answered but has no disposition"
        elif row is None:
            yield f"{message.token} never arrived"
        elif row.disposition is None:
            yield f"{message.token} has no disposition"
        elif row.disposition in ANSWERED and message.token not in unsaid:
            yield f"{message.token} is {row.disposition}, but on no phone"


def _doubled(evidence: Evidence) -> Iterator[str]:
    stored = Counter(r.token for r in evidence.received)
    yield from (f"{token} was stored {n} times" for token, n in stored.items() if n > 1)
    parts = {wa_id: part for part in evidence.parts for wa_id in part.ids}
    for phone, shown in evidence.phones.items():
        marks = Counter(mark for bubble in shown for mark in set(bubble.marks))
        yield from (f"{mark} was answered {n} times" for mark, n in marks.items() if n > 1)
        told = Counter(parts[bubble.id] for bubble in shown if bubble.id in parts)
        for part, n in told.items():
            if n > 1:
                yield f"part {part.part_no} of turn {part.turn_id} shows {n} bubbles"
        yield from (f"{phone} shows a bubble without a token" for b in shown if not b.marks)


def _misdirected(written: Sequence[Written], evidence: Evidence) -> Iterator[str]:
    """What one customer wrote, on another one's phone."""
    writers = {message.token: message.phone for message in written}
    for phone, shown in evidence.phones.items():
        for token in {token_of_mark(mark) for bubble in shown for mark in bubble.marks}:
            if writers.get(token) != phone:
                yield f"{token} was answered to {phone}, who did not write it"


def _out_of_order(
    written: Sequence[Written],
    received: Sequence[Received],
    places: Mapping[str, Mapping[str, int]],
) -> Iterator[str]:
    """Of two messages of a customer, the one the product had first is never answered later."""
    phones = {message.token: message.phone for message in written}
    latest: dict[str, tuple[int, str]] = {}
    for row in received:
        phone = phones.get(row.token, "")
        place = places.get(phone, {}).get(row.token)
        if place is None:
            continue
        before, token = latest.get(phone, (place, row.token))
        if place < before:
            yield f"{row.token} was answered before {token}"
        latest[phone] = max((before, token), (place, row.token))


def _parts_out_of_order(evidence: Evidence) -> Iterator[str]:
    """Bubbles of one reply, in another order than it was written in."""
    parts = {wa_id: part for part in evidence.parts for wa_id in part.ids}
    for shown in evidence.phones.values():
        latest: dict[str | None, int] = {}
        for part in (parts[bubble.id] for bubble in shown if bubble.id in parts):
            if part.part_no < latest.get(part.turn_id, 0):
                yield f"part {part.part_no} of turn {part.turn_id} was shown after later ones"
            latest[part.turn_id] = part.part_no


def _inversions(written: Sequence[Written], places: Mapping[str, Mapping[str, int]]) -> int:
    latest: dict[str, int] = {}
    count = 0
    for message in written:
        place = places.get(message.phone, {}).get(message.token)
        if place is None:
            continue
        count += place < latest.get(message.phone, place)
        latest[message.phone] = max(latest.get(message.phone, place), place)
    return count


def _was_doubted(part: Part) -> bool:
    return (
        part.state == "unknown" or part.attempts > 1 or part.resolved_by not in {None, "response"}
    )


def _settled_by(part: Part) -> str:
    if part.state in {"unknown", "failed"}:
        return part.state
    if part.resolved_by == "response" and part.attempts > 1:
        return "the same id again"
    return part.resolved_by or "nothing yet"


def _unknown(evidence: Evidence) -> Counter[str]:
    """Sends that nothing settled, by what the phones say of them.

    A reply of which another part was taken is charged, whatever became of this one.
    """
    seen = {mark for shown in evidence.phones.values() for b in shown for mark in b.marks}
    charged = _charged(evidence)
    return Counter(
        "beside a part that was taken"
        if part.turn_id in charged
        else ("shown" if set(part.marks) & seen else "not shown")
        for part in evidence.parts
        if part.state == "unknown"
    )


def _charged(evidence: Evidence) -> Collection[str | None]:
    """Turns of which WhatsApp took a part."""
    return {part.turn_id for part in evidence.parts if part.state in TAKEN}


def _unsaid(evidence: Evidence) -> Collection[str]:
    """What stood in parts that were not sent, behind one that was in doubt and proved taken."""
    charged = _charged(evidence)
    return {
        mark
        for part in evidence.parts
        if part.error == "not_sent" and part.turn_id in charged
        for mark in part.marks
    }
