"""Who is calling: the client's address and request id, believed only from trusted proxies."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from app.core import ids
from app.core.config import Network

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,100}", re.ASCII)


def header(scope: Any, name: bytes) -> bytes | None:
    """Return the first header of this (lower-case) name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def first_headers(scope: Any) -> dict[bytes, bytes]:
    """Return all headers by (lower-case) name; of one that is repeated the first."""
    return dict(reversed(scope["headers"]))


def client_address(scope: Any, trusted: Sequence[Network]) -> str:
    """Return the caller's IP address.

    ``X-Forwarded-For`` counts only when the peer is a trusted proxy, and then from the right:
    the first address that is not itself a trusted proxy.
    """
    peer = scope.get("client")
    address = peer[0] if peer else ""
    if not trusted or not _is_trusted(address, trusted):
        return address
    forwarded = header(scope, b"x-forwarded-for")
    hops = forwarded.decode("latin-1").split(",") if forwarded else []
    for hop in reversed([h.strip() for h in hops]):
        address = hop
        if not _is_trusted(hop, trusted):
            break
    return address


def request_id(scope: Any, trusted: Sequence[Network]) -> str:
    """Return the request's id: a new one, or a trusted proxy's ``X-Request-Id``."""
    named = first_headers(scope) if trusted else {}
    return request_id_of(scope.get("client"), named, trusted)


def request_id_of(
    peer: tuple[str, int] | None, headers: Mapping[bytes, bytes], trusted: Sequence[Network]
) -> str:
    """``request_id`` of headers by their lower-case names."""
    if trusted and peer and _is_trusted(peer[0], trusted):
        given = headers.get(b"x-request-id")
        if given and _REQUEST_ID.fullmatch(text := given.decode("latin-1")):
            return text
    return ids.request_id()


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
