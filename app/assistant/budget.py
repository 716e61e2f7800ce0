"""How long texts are in tokens: an estimate for budgets, an upper bound for holds.

The estimate goes by script, because tokenizers were made on English: a Latin letter is about a
quarter of a token, an Arabic or Cyrillic one a half, a Chinese one a whole. The bound needs no
tokenizer: no token is shorter than one UTF-8 byte.
"""

import re

HISTORY_TOKENS_MAX = 3_000
PASSAGES_TOKENS_MAX = 2_500
INLINE_TOKENS_MAX = 4_000
"""Q&A pairs that fit here are all told to the model, and nothing is searched."""

MESSAGE_CHARS_MAX = 4_000
TOOL_RESULT_CHARS_MAX = 6_000
_PER_TURN_BYTES = 24
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_OTHER = re.compile(
    "[^\u0000-\u024f\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]"
)


def tokens_about(text: str) -> int:
    """Return about how many tokens a text has."""
    if text.isascii():
        return -(-len(text) // 4)
    wide = len(_WIDE.findall(text))
    other = len(_OTHER.findall(text))
    return wide + -(-other // 2) + -(-(len(text) - wide - other) // 4)


def tokens_most(text: str) -> int:
    """Return a number of tokens that a message of the prompt cannot exceed."""
    return len(text.encode()) + _PER_TURN_BYTES
