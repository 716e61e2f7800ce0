"""HTTP to the outside: explicit time-outs, no redirects, and a guard against SSRF.

A guarded session refuses to reach anything but public addresses, whatever a tenant or a
webhook names as URL. The check sits where the address is chosen, not before: a name is
resolved once, every address of the answer must be allowed, and the socket connects to exactly
those (a second look-up, as in check-then-fetch, could answer differently). Host header and
TLS server name stay the URL's. The operator's ``OUTBOUND_ALLOW_CIDRS`` opens private networks
where WAHA runs; tenants cannot.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from app.core.config import Network, Settings
from app.core.errors import RefusedError

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 30.0

_PORTS = frozenset({80, 443})
_CONNECTIONS_MAX = 300
_CONNECTIONS_PER_HOST_MAX = 100
_KEEPALIVE_S = 20.0
_CHUNK_BYTES = 64 * 1024

_FORBIDDEN_V4 = tuple(
    ip_network(n)
    for n in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT; also clouds' metadata (Alibaba: 100.100.100.200)
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's wire server: public by number, inside by nature
    )
)
# Of IPv6 only global unicast is let through, less what wraps or documents.
_GLOBAL_V6 = ip_network("2000::/3")
_FORBIDDEN_V6 = tuple(
    ip_network(n)
    for n in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",
    )
)


class OutboundRefused(RefusedError):  # noqa: N818 - a decision of ours, not a fault
    """The guard does not let this request out, or not this much in.

    Attributes:
        reason: ``scheme``, ``host``, ``address``, ``redirect`` or ``too_large``.
    """

    code = "outbound_refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the outbound guard refused the request: {reason}")


class OutboundGuard:
    """Decides which endpoints may be connected to.

    Args:
        allow: networks the operator opened; there every port may be used.
        ports: for all other addresses.
    """

    def __init__(self, allow: Collection[Network] = (), ports: Collection[int] = _PORTS) -> None:
        self._allow = tuple(allow)
        self._ports = frozenset(ports)

    def permits(self, host: str, port: int) -> bool:
        """Tell whether an address (as text; not a name) may be connected to at a port.

        IPv4 in IPv6 clothes (mapped, compatible, 6to4, NAT64, Teredo) never may: nobody needs
        it to reach a public server, and translators inside a network unwrap it.
        """
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if any(address.version == net.version and address in net for net in self._allow):
            return True
        return port in self._ports and _is_public(address)

    def verify_url(self, url: URL | str) -> None:
        """Raise OutboundRefused for what a URL alone betrays: scheme, literal address, port.

        Names pass here (unless the port is closed to all) and are judged when they resolve.
        """
        try:
            parsed = URL(url)
            host, port = parsed.raw_host, parsed.port
        except ValueError:
            raise OutboundRefused("host") from None
        if parsed.scheme not in {"http", "https"}:
            raise OutboundRefused("scheme")
        if not host or port is None:
            raise OutboundRefused("host")
        if _is_literal(host):
            if not self.permits(host, port):
                raise OutboundRefused("address")
        elif port not in self._ports and not self._allow:
            raise OutboundRefused("address")

    def open_socket(self, info: Any) -> socket.socket:
        """Make the socket of a connection; the last look at the address it goes to."""
        family, kind, protocol, _, address = info
        if not self.permits(address[0], address[1]):
            raise OutboundRefused("address")
        return socket.socket(family, kind, protocol)

    async def before_request(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Judge the URL of each request (aiohttp's client middleware)."""
        self.verify_url(request.url)
        return await send(request)


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses an answer unless every address in it is permitted."""

    def __init__(self, guard: OutboundGuard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; OutboundRefused when one of them is not permitted."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(self._guard.permits(item["host"], port) for item in found):
            raise OutboundRefused("address")
        return found

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._inner.close()


def outbound_guard(settings: Settings, ports: Collection[int] = ()) -> OutboundGuard:
    """Return the guard of these settings, e.g. to check a URL when a tenant enters it."""
    return OutboundGuard(settings.outbound_allow_cidrs, _PORTS | frozenset(ports))


def outbound_session(
    settings: Settings,
    *,
    guarded: bool,
    ports: Collection[int] = (),
    resolver: AbstractResolver | None = None,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> aiohttp.ClientSession:
    """Return a session for requests to others; call it inside the running loop, close it.

    A redirect raises ``OutboundRefused("redirect")``; with ``allow_redirects=False`` the
    caller gets the 3xx answer itself. Cookies are not kept, proxies of the environment not
    used. Requests raise OutboundRefused, ``aiohttp.ClientError`` or TimeoutError.

    Args:
        settings: the operator's ``outbound_allow_cidrs`` count where ``guarded``.
        guarded: True whenever a tenant or a webhook had a say in the URL.
        ports: allowed besides 80 and 443. In networks the operator opened any port is.
        resolver: resolves names; default the system's.
        total_timeout_s: for one whole request, body included, in seconds.
    """
    inner = resolver if resolver is not None else aiohttp.ThreadedResolver()
    guard = outbound_guard(settings, ports) if guarded else None
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(guard, inner) if guard else inner,
            socket_factory=guard.open_socket if guard else None,
            limit=_CONNECTIONS_MAX,
            limit_per_host=_CONNECTIONS_PER_HOST_MAX,
            keepalive_timeout=_KEEPALIVE_S,
        ),
        middlewares=(guard.before_request,) if guard else (),
        trace_configs=[trace],
        timeout=aiohttp.ClientTimeout(
            total=total_timeout_s,
            connect=CONNECT_TIMEOUT_S,
            sock_connect=CONNECT_TIMEOUT_S,
            sock_read=total_timeout_s,
        ),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def read_limited(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """Read a body of at most ``limit_bytes``; OutboundRefused and a closed connection if larger.

    Counts what comes out of decompression, so a small body that unpacks to gigabytes stops at
    the limit too; a declared length above it is refused before anything is read.
    """
    declared = response.content_length
    if declared is not None and declared > limit_bytes:
        response.close()
        raise OutboundRefused("too_large")
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit_bytes:
            response.close()
            raise OutboundRefused("too_large")
    return bytes(body)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in net for net in _FORBIDDEN_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    return address.is_global and not any(address in net for net in _FORBIDDEN_V6)


def _is_literal(host: str) -> bool:
    """Tell whether the system may read a host as an address without asking DNS.

    Besides the usual forms ``inet_aton`` takes one to four parts in decimal, octal and hex:
    ``2130706433``, ``0177.1``, ``0x7f000001``. Their last part is a number, which no public
    name's is (RFC 3696 §2).
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or last.startswith("0x")


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: Any, params: aiohttp.TraceRequestRedirectParams
) -> None:
    params.response.close()
    raise OutboundRefused("redirect")
