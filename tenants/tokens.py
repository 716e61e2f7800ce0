"""Opaque tokens: 256 random bits handed out once, of which only the SHA-256 is stored.

A fast hash is enough here: there is nothing to guess in 256 bits, unlike in a password.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_TOKEN_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A fresh token: the text for its holder, the hash for the table."""

    text: str = field(repr=False)
    hash: bytes = field(repr=False)


def new_token() -> NewToken:
    """Return a token of 256 random bits in 43 url-safe characters."""
    text = secrets.token_urlsafe(_TOKEN_BYTES)
    return NewToken(text, hash_token(text))


def hash_token(text: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(text.encode()).digest()


def is_token(text: str) -> bool:
    """Tell whether a text has a token's form; anything else need not be looked up."""
    return _FORM.fullmatch(text) is not None
