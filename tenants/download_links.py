"""Links that open one thing for a while, to whoever has them: signed, checked without a look-up.

``<tenant>.<thing>.<expiry>.<signature>``: ids as 32 hex digits, the expiry in seconds since 1970.
"""

import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.crypto import keyed_hash
from app.core.errors import NotFoundError

LIFETIME_S = 900
_FORM = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """What a valid link opens."""

    tenant_id: UUID
    thing_id: UUID


def sign(keys: Sequence[str], purpose: str, tenant_id: UUID, thing_id: UUID) -> str:
    """Return a link's token, good for a quarter of an hour; the first key signs."""
    body = f"{tenant_id.hex}.{thing_id.hex}.{int(time.time()) + LIFETIME_S}"
    return f"{body}.{keyed_hash(keys[0], f'link:{purpose}', body)}"


def open_link(keys: Sequence[str], purpose: str, token: str) -> Link:
    """Return what a token opens; NotFoundError when it is forged, changed or too old."""
    match = _FORM.fullmatch(token)
    if match is not None and int(match[3]) > time.time():
        body, signature = token.rsplit(".", 1)
        right = (keyed_hash(key, f"link:{purpose}", body) for key in keys)
        if any(hmac.compare_digest(signature, one) for one in right):
            return Link(UUID(match[1]), UUID(match[2]))
    raise NotFoundError("This link has run out. Get a new one on the page where it was.")
