"""The loop brake: two machines that answer each other would go on for ever.

The assistant stops in a conversation, and people are asked to look, when it has answered one
contact ``loop_replies_per_hour`` times within an hour, or when ``loop_repeats`` exchanges within
an hour were all but the same and the next message is the same again. Machines that vary run into
the first figure.
"""

import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from difflib import SequenceMatcher
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.ports import PastMessage, Question
from app.messaging import conversations
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns.ending import Ending, end_turn
from app.messaging.turns.model import ClaimedTurn, Engine

_WINDOW = timedelta(hours=1)
_ALIKE = 0.9
_COMPARED_CHARS_MAX = 400


async def brake(engine: Engine, connection: AsyncConnection, turn: ClaimedTurn) -> None:
    """End a turn of a loop and give its conversation, which is locked, to people."""
    ending = Ending(
        turn.id, TurnState.CANCELLED, Disposition.LOOP_BRAKE, Disposition.LOOP_BRAKE.value
    )
    await end_turn(connection, engine.settings, turn.tenant_id, ending)
    await conversations.hand_to_people(
        connection, turn.tenant_id, turn.conversation_id, HandoverReason.LOOP_BRAKE
    )


def is_loop(question: Question, mine: Any) -> bool:
    """Tell whether a question is another round of a loop.

    Args:
        question: with the conversation so far.
        mine: the turn as ``queries.MINE`` reads it, with the business's figures.
    """
    if mine.replies_last_hour >= mine.loop_replies_per_hour:
        return True
    if not mine.loop_repeats:
        return False
    asked, replied = _recent(question.history)
    repeats = mine.loop_repeats
    # By counts, not by turns of speech: phones tell whole seconds, and machines answer within one.
    return (
        len(asked) > repeats
        and all(_alike(asked[-1], words) for words in asked[-repeats - 1 : -1])
        and len(replied) >= repeats
        and sum(_alike(replied[-1], words) for words in replied) >= repeats
    )


def _recent(history: Sequence[PastMessage]) -> tuple[list[str], list[str]]:
    """Return what customer and assistant said in the last hour, since a person last spoke."""
    asked: list[str] = []
    replied: list[str] = []
    for message in history:
        if history[-1].sent_at - message.sent_at > _WINDOW:
            continue
        if message.author == "customer":
            asked.append(_plain(message.text))
        elif message.author == "assistant":
            replied.append(_plain(message.text))
        else:
            asked, replied = [], []
    return asked, replied


def _plain(words: str) -> str:
    """Return a text without case, accents and punctuation, its numbers all alike."""
    folded = unicodedata.normalize("NFKD", words[: 2 * _COMPARED_CHARS_MAX]).casefold()
    kept = ("#" if c.isdigit() else c if c.isalnum() else " " for c in folded)
    return " ".join("".join(kept).split())[:_COMPARED_CHARS_MAX]


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
