"""A passkey in software: makes and signs what a browser would, byte for byte (WebAuthn)."""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

RP_ID = "desk.example.org"
ORIGIN = f"https://{RP_ID}"
_USER_PRESENT, _USER_VERIFIED, _HAS_CREDENTIAL = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Authenticator:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = os.urandom(32)
        self.count = 0

    def create(self, options: str, *, origin: str = ORIGIN) -> dict[str, Any]:
        """The answer to ``navigator.credentials.create``."""
        client = self._client("webauthn.create", options, origin)
        head = self._head(_USER_PRESENT | _USER_VERIFIED | _HAS_CREDENTIAL)
        data = head + bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data += self._cose()
        attestation = (
            b"\xa3" + _text("fmt") + _text("none") + _text("attStmt") + b"\xa0"
            + _text("authData") + _bytes(data)
        )  # fmt: skip
        return self._answer({"clientDataJSON": b64(client), "attestationObject": b64(attestation)})

    def get(
        self, options: str, *, origin: str = ORIGIN, verified: bool = True, count: int | None = None
    ) -> dict[str, Any]:
        """The answer to ``navigator.credentials.get``."""
        self.count = self.count + 1 if count is None else count
        client = self._client("webauthn.get", options, origin)
        data = self._head(_USER_PRESENT | (_USER_VERIFIED if verified else 0))
        signed = data + hashlib.sha256(client).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signature),
            }
        )

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = b64(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}

    def _client(self, kind: str, options: str, origin: str) -> bytes:
        challenge = json.loads(options)["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()

    def _head(self, flags: int) -> bytes:
        rp = hashlib.sha256(RP_ID.encode()).digest()
        return rp + bytes([flags]) + self.count.to_bytes(4, "big")

    def _cose(self) -> bytes:
        """The public key as COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}."""
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return (
            b"\xa5\x01\x02\x03\x26\x20\x01\x21" + _bytes(x) + b"\x22" + _bytes(y)
        )  # fmt: skip


def _text(value: str) -> bytes:
    return bytes([0x60 + len(value)]) + value.encode()


def _bytes(value: bytes) -> bytes:
    if len(value) < 256:
        return b"\x58" + bytes([len(value)]) + value
    return b"\x59" + len(value).to_bytes(2, "big") + value
