"""Secrets at rest: AES-256-GCM bound to the row they belong to, with key rotation.

A stored value is ``v1 | kid length | kid | nonce (12) | ciphertext and tag``. The
associated data names table, column and row, so a ciphertext copied to another row fails
to decrypt. ``ENCRYPTION_KEYS`` is ``kid:hex64,…``: the first key encrypts, all decrypt.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import ParleyError

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32


class DecryptionError(ParleyError):
    """The value cannot be read: wrong row, unknown key id, or altered bytes."""

    code = "decryption"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lives; becomes the associated data of its encryption."""

    table: str
    column: str
    row_id: UUID

    def associated_data(self) -> bytes:
        """Return the bytes that bind a ciphertext to its place."""
        return f"{self.table}|{self.column}|{self.row_id}".encode()


@dataclass(frozen=True, slots=True)
class Keyring:
    """The data keys by key id; the first one encrypts."""

    keys: tuple[tuple[str, bytes], ...]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read ``kid:hex64,…``; raise ValueError with the entry's position on bad form."""
        keys: list[tuple[str, bytes]] = []
        for position, entry in enumerate(filter(None, (e.strip() for e in text.split(","))), 1):
            kid, _, hex_key = entry.partition(":")
            try:
                key = bytes.fromhex(hex_key)
            except ValueError:
                key = b""
            if not kid or not kid.isascii() or len(kid) > 32 or len(key) != _KEY_BYTES:  # noqa: PLR2004
                raise ValueError(f"entry {position} is not kid:64 hex digits")
            keys.append((kid, key))
        if not keys:
            raise ValueError("no key given")
        if len({kid for kid, _ in keys}) != len(keys):
            raise ValueError("a key id stands twice")
        return cls(tuple(keys))

    def encrypt(self, plaintext: str, ref: SecretRef) -> bytes:
        """Encrypt a secret for its row with the current key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        kid, key = self.keys[0]
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), ref.associated_data())
        return bytes([_VERSION, len(kid)]) + kid.encode() + nonce + sealed

    def decrypt(self, stored: bytes, ref: SecretRef) -> str:
        """Read a secret of a row; raise DecryptionError when it is not this row's."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(stored) < 2 or stored[0] != _VERSION:  # noqa: PLR2004
            raise DecryptionError(f"{ref.table}.{ref.column}: not a version 1 secret")
        kid_end = 2 + stored[1]
        kid = stored[2:kid_end].decode("ascii", "replace")
        key = dict(self.keys).get(kid)
        if key is None:
            raise DecryptionError(f"{ref.table}.{ref.column}: no key with id {kid!r} is configured")
        nonce, sealed = stored[kid_end : kid_end + _NONCE_BYTES], stored[kid_end + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, sealed, ref.associated_data()).decode()
        except InvalidTag:
            raise DecryptionError(
                f"{ref.table}.{ref.column}: the secret belongs to another row or was altered"
            ) from None


def keyed_hash(secret: str, purpose: str, value: str) -> str:
    """Return a keyed digest (32 hex digits) for looking values up without storing them."""
    message = f"{purpose}\0{value}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:32]
