"""HMAC over raw bytes, compared in constant time."""

import hashlib
import hmac
import re

_HEX_SHA512 = re.compile(r"[0-9a-f]{128}", re.ASCII)


def hmac_sha512_hex(key: str, body: bytes) -> str:
    """Sign bytes the way WAHA does: HMAC-SHA512, key as UTF-8, lower-case hex."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def verify_hmac_sha512(key: str, body: bytes, signature: str) -> bool:
    """Tell whether a signature (128 lower-case hex digits) belongs to these bytes."""
    if not key or not _HEX_SHA512.fullmatch(signature):
        return False
    return hmac.compare_digest(hmac_sha512_hex(key, body), signature)
