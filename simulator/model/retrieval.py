"""Finds the sentences of a prompt that answer a question, and how well they do."""

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from simulator.model.prompts import Knowledge
from simulator.model.words import is_day, is_topic, tokens

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_TITLE_WEIGHT = 0.6
_TOPIC_WEIGHT = 0.7
_OFF_TOPIC = 0.4
_UNKNOWN_WEIGHT = 0.6
_COVERAGE_MIN = 0.34
_TYPO_CUTOFF = 0.84
_TYPO_LETTERS_MIN = 5
# Whoever asks for these by place or kind is helped by the whole answer, even if it isn't named.
_WHOLE_ANSWER_TOPICS = frozenset({"hours", "delivery", "address", "payment", "contact", "parking"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing the business told: a fact, an answer, or a sentence of a passage."""

    text: str
    key: str
    is_fact: bool
    is_answer: bool
    source: str | None
    own: frozenset[str]
    context: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Everything the unit is about."""
        return self.own | self.context


@dataclass(frozen=True, slots=True)
class Index:
    """The units of one prompt with the weight of each token."""

    units: tuple[Unit, ...]
    weights: dict[str, float]

    def weight(self, token: str) -> float:
        """How telling a token is: rare ones most, topics a little less than things."""
        scale = _TOPIC_WEIGHT if is_topic(token) else 1.0
        unknown = math.log(1 + len(self.units)) * _UNKNOWN_WEIGHT
        return scale * self.weights.get(token, max(unknown, 0.5))


@dataclass(frozen=True, slots=True)
class Match:
    """A unit and how it fits: `things` are the matched tokens that are no topics."""

    unit: Unit
    score: float
    things: frozenset[str]
    missed: frozenset[str]


@lru_cache(maxsize=64)
def index(knowledge: Knowledge) -> Index:
    """Cut the knowledge into units and weigh their words."""
    units = [
        Unit(value, key, True, False, None, frozenset(tokens(value)), frozenset(tokens(key)))
        for key, value in knowledge.facts
    ]
    for passage in knowledge.passages:
        context = frozenset(tokens(f"{passage.title}\n{passage.question or ''}"))
        pieces = [passage.text] if passage.question else _SENTENCE.split(passage.text)
        units += [
            Unit(
                piece.strip(),
                passage.title,
                False,
                passage.question is not None,
                passage.id or None,
                frozenset(tokens(piece)),
                context,
            )
            for piece in pieces
            if piece.strip()
        ]
    frequency: dict[str, int] = {}
    for unit in units:
        for token in unit.all:
            frequency[token] = frequency.get(token, 0) + 1
    weights = {t: math.log(1 + len(units) / n) for t, n in frequency.items()}
    return Index(tuple(units), weights)


def corrected(wanted: set[str], known: Index) -> set[str]:
    """The tokens with slips of the pen mended where the knowledge has a word that is close."""
    vocabulary = [token for token in known.weights if len(token) >= _TYPO_LETTERS_MIN]
    mended = set()
    for token in wanted:
        close: list[str] = []
        if token not in known.weights and len(token) >= _TYPO_LETTERS_MIN and not is_topic(token):
            close = get_close_matches(token, vocabulary, n=1, cutoff=_TYPO_CUTOFF)
        mended.add(close[0] if close else token)
    return mended


def best(wanted: set[str], known: Index) -> Match | None:
    """The unit that answers best, or None when nothing answers honestly."""
    total = sum(known.weight(token) for token in wanted)
    matches = [m for unit in known.units if (m := _match(unit, wanted, known))]
    matches = [m for m in matches if _honest(m, wanted, known, total)]
    return max(matches, key=lambda m: m.score, default=None)


def _match(unit: Unit, wanted: set[str], known: Index) -> Match | None:
    hit = wanted & unit.all
    if not hit:
        return None
    score = sum(known.weight(t) for t in hit & unit.own)
    score += _TITLE_WEIGHT * sum(known.weight(t) for t in hit & unit.context)
    things = frozenset(t for t in hit if not is_topic(t))
    missed = frozenset(t for t in wanted - hit if not is_topic(t))
    if any(is_topic(token) for token in wanted - unit.all):
        # It is about the right thing, but not what was asked of it.
        score *= _OFF_TOPIC
    # Among equals the business's own facts and curated answers come first.
    score += 0.05 * (unit.is_fact + unit.is_answer)
    return Match(unit, score, things, missed)


def _honest(match: Match, wanted: set[str], known: Index, total: float) -> bool:
    topics = {token for token in wanted if is_topic(token)}
    hit_topics = topics & match.unit.all
    if hit_topics & _WHOLE_ANSWER_TOPICS and hit_topics & match.unit.context:
        return True
    if match.missed and not match.things - {t for t in match.things if is_day(t)}:
        return False
    covered = sum(known.weight(token) for token in wanted & match.unit.all)
    return covered >= _COVERAGE_MIN * total
