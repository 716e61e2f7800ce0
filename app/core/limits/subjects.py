"""Names for those who are limited by address: keyed hashes, so that no address is stored."""

import hashlib
import hmac
from ipaddress import IPv6Address, ip_address

_DIGEST_HEX = 32
_SITE_PREFIX_BITS = 64


def hash_subject(secret_key: str, kind: str, value: str) -> str:
    """Return ``<kind>_<32 hex digits>``, a keyed HMAC-SHA256 of an address or an e-mail.

    Without the key nobody can test guesses: the space of phone numbers and IPv4 addresses is
    small enough to be tried whole. The first key of a comma-separated ``SECRET_KEY`` counts.
    """
    key = secret_key.split(",", 1)[0].strip().encode()
    digest = hmac.new(key, f"rl\0{kind}\0{value}".encode(), hashlib.sha256).hexdigest()
    return f"{kind}_{digest[:_DIGEST_HEX]}"


def hash_address(secret_key: str, address: str) -> str:
    """Return the subject of an IP address; of IPv6 the /64, which one host has to itself.

    What is no IP address (a Unix socket's empty peer, a proxy's nonsense) shares one subject
    by its text.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return hash_subject(secret_key, "ip", f"other:{address}")
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return hash_subject(secret_key, "ip", str(parsed.ipv4_mapped))
        return hash_subject(secret_key, "ip", f"{int(parsed) >> _SITE_PREFIX_BITS:x}/64")
    return hash_subject(secret_key, "ip", str(parsed))
