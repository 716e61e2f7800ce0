"""Messages with files in a turn: what they say, what reading them took, and when they say nothing.

A customer whose files tell us nothing (a video, a file that could not be had) is asked to type,
once: further such files are left without an answer until something else was said.
"""

from collections.abc import Sequence
from typing import Any

from app.core.ports import FileUse
from app.messaging.media import words

NOTHING = ""
"""The fixed reply of a turn that needs none."""


def said(row: Any) -> str:
    """Return the words of a message of the history (``queries.HISTORY``)."""
    known = row.file_id is not None
    return words.said(row.kind, row.body, row.reading, row.file_name, known=known)


def files(rows: Sequence[Any]) -> tuple[FileUse, ...]:
    """Return what reading the files of the unanswered messages took."""
    return tuple(
        FileUse(
            model=row.file_model,
            audio_ms=row.audio_ms,
            pages=row.pages,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
        )
        for row in rows
        if row.unanswered and row.file_id is not None and row.reading
    )


def fixed_reply(rows: Sequence[Any], locale: str) -> str | None:
    """Return the request to type, ``NOTHING`` where it was made already, None for other turns.

    ``rows`` are the history, what is to be answered at its end.
    """
    asked = [row for row in rows if row.unanswered]
    if not asked or not all(words.is_wordless(r.kind, r.body, r.reading) for r in asked):
        return None
    last = next((row for row in reversed(rows) if row.author != "customer"), None)
    if last is not None and words.asks_to_type(last.body):
        return NOTHING
    return words.please_type(locale)
