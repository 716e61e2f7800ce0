"""Signatures computed by OpenSSL (``openssl dgst -sha512 -hmac KEY``), and what must not fit."""

import pytest

from app.core.signing import hmac_sha512_hex, verify_hmac_sha512

KEY = "desk-key-1"
BODY = b'{"event":"message","session":"desk"}'
DIGEST = (
    "034b8f90cd0d56329e94af6349c0f9b21703b85c9fc7b3f6b624faaf71e89474"
    "b9c5e80ba5c74d25169f637d7be3679b797b72ff4a2ad630e3670db4e57ebb8c"
)
VECTORS = [
    (KEY, BODY, DIGEST),
    (
        "schlüssel-€-🔑",
        '{"event":"message","payload":{"body":"Größe 🥐"}}'.encode(),
        (
            "798e6eefafe1cc21b61af835099bebd76f3efa9f83b6eb7c3b10e9be9ae0b8d6"
            "074195bfe2d9fcd99b705a798281b937463c5239e1bff1cbf0da5916c0fa6454"
        ),
    ),
    (
        # The key is text, also where it looks like hex.
        "6b6579",
        b"{}",
        (
            "bc4255c293f00b1815f91807c8b62e6bf769c12394a1e439c852b37ff331b04a"
            "8a876bf64317b68f6f72e8248bd84e2cdb1c19daf289734086d3a29dcb26f240"
        ),
    ),
    (
        KEY,
        b"",
        (
            "6202ad360bf087d321dc9d6ae14208516f06d8fed0403017d1ec25016763f717"
            "7d78f31a8403bf281bef1cf8118bbb0a49f2e82f11af87a940b3fb00cdd856b9"
        ),
    ),
    (
        KEY,
        b"\x00\xff\n",
        (
            "9d38521c356ccd546991ba18304bfb52f371b7cfa3166b12e0c02e6c01ba9690"
            "ecdb0ed4057834fd836005f8d8e8c1b307941bdf0b65ddd105e7babd7d95a579"
        ),
    ),
    (
        # Longer than SHA-512's block, so it is hashed first.
        "k" * 200,
        b'{"a":1}',
        (
            "0155ff5288981f523164ebc7c97d2a6ab583492891609aba0ab683baa4e26269"
            "436f10c1b5b915434dbb1ccf845620a8008b59eb08a8cc476379491b8c34d13f"
        ),
    ),
]


@pytest.mark.parametrize(("key", "body", "digest"), VECTORS)
def test_a_genuine_signature(key: str, body: bytes, digest: str) -> None:
    assert hmac_sha512_hex(key, body) == digest
    assert verify_hmac_sha512(key, body, digest)


@pytest.mark.parametrize(
    ("key", "body", "signature"),
    [
        ("desk-key-2", BODY, DIGEST),
        ("Desk-key-1", BODY, DIGEST),
        (KEY + " ", BODY, DIGEST),
        ("", BODY, DIGEST),
        (KEY, BODY + b"\n", DIGEST),
        (KEY, BODY[:-1], DIGEST),
        (KEY, BODY.replace(b":", b": "), DIGEST),
        (KEY, BODY, DIGEST.upper()),
        (KEY, BODY, DIGEST.replace("b", "B", 1)),
        (KEY, BODY, DIGEST[:-1] + "D"),
        (KEY, BODY, DIGEST[:-1]),
        (KEY, BODY, DIGEST + "c"),
        (KEY, BODY, DIGEST + "\n"),
        (KEY, BODY, " " + DIGEST),
        (KEY, BODY, DIGEST[64:] + DIGEST[:64]),
        (KEY, BODY, "sha512=" + DIGEST),
        (KEY, BODY, "٣" * 128),
        (KEY, BODY, ""),
    ],
)
def test_what_does_not_fit(key: str, body: bytes, signature: str) -> None:
    assert not verify_hmac_sha512(key, body, signature)


def test_an_empty_key_signs_nothing() -> None:
    assert not verify_hmac_sha512("", BODY, hmac_sha512_hex("", BODY))
