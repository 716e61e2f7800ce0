"""Ranking candidates: nearness of meaning plus the share of the question's words, by rarity.

The two figures are added, not their ranks: on the sample corpora reciprocal ranks let a passage
that shares one unimportant word overtake one that answers (docs/decisions/0016-knowledge.md has
the figures). Several wordings of a question are fused by reciprocal rank: theirs are comparable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.assistant.knowledge.searching import Candidate

WORDS_WEIGHT = 0.25
CODE_BONUS = 0.1
"""For a part number or the like: whoever gives one wants that very thing."""
_BEST = 1 + WORDS_WEIGHT + CODE_BONUS
PER_DOCUMENT_MAX = 3
"""Passages of one document among the answers: five from one page would hide the others."""
RANK_OFFSET = 3.0
_LATER_WEIGHT = 0.25
"""Of a second wording, against the first: it breaks ties and adds what the first missed."""
# Logistic curves of "does this answer it", fitted to all-MiniLM-L6-v2 on the sample corpora. A
# model on another scale needs its own: docs/decisions/0016-knowledge.md tells how.
_WITH_VECTORS = (-5.9, 15.5, 0.8, 1.5)
_WITHOUT = (-3.0, 6.0, 1.5)


@dataclass(slots=True)
class Ranked:
    """A candidate with its score (0 to 1) and the likelihood that it answers (0 to 1)."""

    candidate: Candidate
    score: float
    answerable: float


def rank(found: Sequence[Sequence[Candidate]], *, limit: int) -> list[Ranked]:
    """Rank the candidates of a question's wordings; the best first, at most ``limit``.

    The first wording is the one to trust most.
    """
    best: dict[UUID, Ranked] = {}
    order: dict[UUID, float] = {}
    for number, pool in enumerate(found):
        weight = _LATER_WEIGHT if number else 1.0
        ranked = sorted((_ranked(c) for c in pool), key=_key)
        for place, item in enumerate(ranked):
            chunk_id = item.candidate.chunk_id
            order[chunk_id] = order.get(chunk_id, 0.0) + weight / (RANK_OFFSET + place)
            known = best.setdefault(chunk_id, item)
            known.score = max(known.score, item.score)
            known.answerable = max(known.answerable, item.answerable)
    items = sorted(best.values(), key=_key)
    if len(found) > 1:
        items.sort(key=lambda item: -order[item.candidate.chunk_id])
    return _spread(items, limit)


def _ranked(candidate: Candidate) -> Ranked:
    share = min(1.0, candidate.words / candidate.asked) if candidate.asked else 0.0
    if candidate.cosine is None:
        base, per_word, for_code = _WITHOUT
        told = base + per_word * share + for_code * candidate.by_code
        return Ranked(candidate, share, _logistic(told))
    base, per_cosine, per_word, for_code = _WITH_VECTORS
    told = base + per_cosine * candidate.cosine + per_word * share + for_code * candidate.by_code
    score = max(0.0, candidate.cosine) + WORDS_WEIGHT * share + CODE_BONUS * candidate.by_code
    return Ranked(candidate, score / _BEST, _logistic(told))


def _key(item: Ranked) -> tuple[float, str]:
    return -item.score, str(item.candidate.chunk_id)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _spread(ranked: Sequence[Ranked], limit: int) -> list[Ranked]:
    taken: list[Ranked] = []
    counts: dict[UUID, int] = {}
    for item in ranked:
        document = item.candidate.document_id
        if counts.get(document, 0) < PER_DOCUMENT_MAX:
            counts[document] = counts.get(document, 0) + 1
            taken.append(item)
        if len(taken) == limit:
            break
    return taken
