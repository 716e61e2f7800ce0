"""The verdict on a drill: what was lost, said twice, out of order, or does not add up."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from benchmarks.chaos.evidence import Evidence, Part, Received, Shown

ANSWERED = frozenset({"answered", "merged"})


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
    `visible` replies on the phones cost `spent_credits`, one each; unknown ones cost nothing.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    dispositions: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    visible: int = 0
    overtaken: int = 0
    spent_credits: Decimal | None = None

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.out_of_order or self.drift)


def judge(written: Sequence[Written], evidence: Evidence) -> Verdict:
    """Hold what was written against what the product has and what the phones show."""
    received = {r.token: r for r in evidence.received}
    places = {phone: _places(shown) for phone, shown in evidence.phones.items()}
    unknown = _unknown(evidence)
    return Verdict(
        lost=list(_lost(written, received, places)),
        doubled=list(_doubled(evidence)),
        out_of_order=list(_out_of_order(written, evidence.received, places)),
        drift=[*evidence.findings, *_wrongly_spent(evidence, unknown)],
        dispositions=Counter(r.disposition or "none" for r in evidence.received),
        doubted=Counter(_settled_by(p) for p in evidence.parts if _was_doubted(p)),
        unknown=unknown,
        visible=_visible(evidence),
        overtaken=_inversions(written, places),
        spent_credits=evidence.spent_credits,
    )


def _visible(evidence: Evidence) -> int:
    return sum(len(shown) for shown in evidence.phones.values())


def _wrongly_spent(evidence: Evidence, unknown: Counter[str]) -> Iterator[str]:
    """A reply costs one credit where it was seen, unless nobody could tell that it was."""
    if evidence.spent_credits is None:
        return
    shown = _visible(evidence)
    if evidence.spent_credits != shown - unknown["shown"]:
        yield (
            f"{evidence.spent_credits} credits spent for {shown} replies on phones,"
            f" {unknown['shown']} of them unknown to us"
        )


def _places(shown: Sequence[Shown]) -> dict[str, int]:
    """The place of the first bubble that names each token."""
    places: dict[str, int] = {}
    for place, bubble in enumerate(shown):
        for token in bubble.tokens:
            places.setdefault(token, place)
    return places


def _lost(
    written: Sequence[Written],
    received: Mapping[str, Received],
    places: Mapping[str, Mapping[str, int]],
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
        elif row.disposition in ANSWERED:
            yield f"{message.token} is {row.disposition}, but on no phone"


def _doubled(evidence: Evidence) -> Iterator[str]:
    stored = Counter(r.token for r in evidence.received)
    yield from (f"{token} was stored {n} times" for token, n in stored.items() if n > 1)
    turns = {wa_id: p.turn_id for p in evidence.parts for wa_id in p.ids if p.turn_id}
    for phone, shown in evidence.phones.items():
        tokens = Counter(token for bubble in shown for token in set(bubble.tokens))
        yield from (f"{token} was answered {n} times" for token, n in tokens.items() if n > 1)
        told = Counter(turns[bubble.id] for bubble in shown if bubble.id in turns)
        yield from (f"turn {turn} shows {n} bubbles" for turn, n in told.items() if n > 1)
        yield from (f"{phone} shows a bubble without a token" for b in shown if not b.tokens)


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
    """Sends that nothing settled, by what the phones say of them."""
    seen = {token for shown in evidence.phones.values() for b in shown for token in b.tokens}
    return Counter(
        "shown" if set(part.tokens) & seen else "not shown"
        for part in evidence.parts
        if part.state == "unknown"
    )
