"""Text from outside made safe for PostgreSQL's text columns and for prompts."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def storable(text: str, *, chars_max: int = 65_536) -> str:
    """Cut text to a length and replace NUL and lone surrogates, which PostgreSQL refuses."""
    text = text[:chars_max]
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(REPLACEMENT, text)
