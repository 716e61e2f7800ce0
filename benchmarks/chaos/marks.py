"""What a message and its answer are known by: a token, and its tail where it is said at length."""

import re

_TOKEN = re.compile(r"#\d{6}-[0-9a-f]{4}")
_MARK = re.compile(r"[#~]\d{6}-[0-9a-f]{4}")


def tokens_in(words: str) -> tuple[str, ...]:
    """The tokens in a text, in their order."""
    return tuple(_TOKEN.findall(words))


def marks_in(words: str) -> tuple[str, ...]:
    """The tokens and tails in a text, in their order."""
    return tuple(_MARK.findall(words))


def tail_of(token: str) -> str:
    """What stands for a token in its message's second paragraph."""
    return f"~{token[1:]}"


def token_of_mark(mark: str) -> str:
    """The token that a mark belongs to."""
    return f"#{mark[1:]}"
