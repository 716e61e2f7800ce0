"""The corpus: hosts that must never be reached through a guarded session, and some that may."""

import ipaddress

import pytest

from app.core.config import Settings
from app.core.outbound import OutboundRefused, outbound_guard

# Written as the host of a URL. With a scheme and port 80 none of them may pass.
FORBIDDEN_LITERALS = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.254",
    "198.18.0.1",
    "198.19.255.254",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    # the spellings inet_aton takes: decimal, octal, hex, fewer parts
    "2130706433",
    "3232235521",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "127.1",
    "127.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0xA9FEA9FE",
    "10.0x0.0.1",
    "127.0.0.1.",
    "0",
    "00",
    # IPv6: local, wrapped IPv4, documentation
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[ff02::1]",
    "[5f00::1]",
]
PUBLIC_LITERALS = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "[2606:4700:4700::1111]",
    "[2a00:1450:4001:830::200e]",
]

GUARD = outbound_guard(Settings())


def test_the_corpus_is_large() -> None:
    assert len(set(FORBIDDEN_LITERALS)) >= 60


@pytest.mark.parametrize("host", FORBIDDEN_LITERALS)
def test_forbidden_literals_are_refused(host: str) -> None:
    with pytest.raises(OutboundRefused):
        GUARD.verify_url(f"http://{host}/x")


@pytest.mark.parametrize("host", PUBLIC_LITERALS)
def test_public_literals_pass(host: str) -> None:
    GUARD.verify_url(f"https://{host}/x")
    assert GUARD.permits(host.strip("[]"), 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org:22/",
        "https://example.org:6379/",
        "http://8.8.8.8:8080/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "ftp://example.org/",
        "//example.org/",
        "/relative",
        "",
        "http://",
        "http://exa mple.org:x/",
    ],
)
def test_other_schemes_ports_and_broken_urls_are_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        GUARD.verify_url(url)


def test_names_and_extra_ports_pass_the_first_look() -> None:
    GUARD.verify_url("https://waha.example.org/api")
    GUARD.verify_url("https://127.example.org/")
    outbound_guard(Settings(), ports=[3000]).verify_url("https://waha.example.org:3000/")


def test_the_operator_opens_a_network_and_nothing_else() -> None:
    opened = outbound_guard(
        Settings(
            outbound_allow_cidrs=(
                ipaddress.ip_network("10.7.0.0/16"),
                ipaddress.ip_network("fd00:7::/32"),
            )
        )
    )
    opened.verify_url("http://10.7.3.4:3000/api")
    opened.verify_url("http://[fd00:7::1]:3000/api")
    opened.verify_url("http://waha.internal:3000/api")
    assert not opened.permits("10.8.0.1", 80)
    assert not opened.permits("::ffff:10.7.3.4", 80)
    assert not opened.permits("8.8.8.8", 3000)
    assert opened.permits("8.8.8.8", 443)
    assert not opened.permits("waha.internal", 80)


@pytest.mark.parametrize("reason", ["address", "host"])
def test_the_error_names_no_host(reason: str) -> None:
    error = OutboundRefused(reason)
    assert (error.status, error.code, error.reason) == (400, "outbound_refused", reason)
