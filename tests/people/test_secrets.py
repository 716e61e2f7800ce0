"""Sealed columns: all of them known, re-sealed under a new key without losing one."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import LargeBinary

from app.cli.commands.secrets import secrets
from app.core.crypto import Keyring, SecretRef
from migrations.metadata import metadata
from tenants.sealed import SEALED, outdated, rotate
from tests.people.house import House

pytestmark = pytest.mark.anyio
OLD, NEW = f"t1:{'5a' * 32}", f"t2:{'c3' * 32}"
# Bytes that are no sealed secret: hashes, public keys, ids, raw events.
NO_SECRETS = {
    "account_tokens.token_hash",
    "api_keys.secret_hash",
    "business_export_chunks.content",
    "inbox.body",
    "inbox_keys.key",
    "invitations.token_hash",
    "journal.hash",
    "knowledge_uploads.body",
    "login_sessions.token_hash",
    "message_media.sha256",
    "passkey_challenges.challenge",
    "passkeys.credential_id",
    "passkeys.public_key",
    "recovery_codes.code_hash",
    "wallets.head_hash",
}


def test_every_column_of_bytes_is_sealed_or_known_to_be_none():
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert found == NO_SECRETS | {column.name for column in SEALED}, (
        "a new column of bytes: add it to tenants.sealed.SEALED, or to NO_SECRETS here"
    )


async def test_a_rotation_reseals_everything_and_may_be_repeated(house: House):
    shop = await house.database.open_shop()
    await house.factor.enrol(await house.signed_in())
    ring = Keyring.parse(f"{NEW},{OLD}")
    db = house.database.db
    async with db.system() as connection:
        left = {c.name: await outdated(connection, c, ring) for c in SEALED}
    assert left["channels.webhook_secret"] == 1
    assert left["users.totp_secret"] == 1
    assert left["mails.content"] >= 1
    done = {c.name: await rotate(db, c, ring) for c in SEALED}
    assert {name: r.sealed for name, r in done.items()} == left
    assert not any(r.unreadable for r in done.values())
    assert [(await rotate(db, c, ring)).sealed for c in SEALED] == [0] * len(SEALED)
    only_new = Keyring.parse(NEW)
    (row,) = await house.rows("select id, webhook_secret from channels")
    opened = only_new.decrypt(
        bytes(row["webhook_secret"]), SecretRef("channels", "webhook_secret", row["id"])
    )
    assert opened == shop.secret


async def test_what_no_key_opens_is_told_and_left(house: House):
    await house.database.open_shop()
    ring = Keyring.parse(NEW)
    found = await rotate(house.database.db, SEALED[0], ring)
    assert (found.sealed, len(found.unreadable)) == (0, 1)


async def test_the_command_says_what_it_did(house: House, monkeypatch: pytest.MonkeyPatch):
    import asyncio

    await house.database.open_shop()
    settings = house.database.settings
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DATABASE_SYSTEM_URL", settings.database_system_url)
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{NEW},{OLD}")

    def run(*words: str):
        return CliRunner().invoke(secrets, [*words, "--json"])

    status = await asyncio.to_thread(run, "status")
    assert json.loads(status.stdout)["outdated"]["channels.webhook_secret"] == 1
    rotated = await asyncio.to_thread(run, "rotate")
    columns = {c["column"]: c for c in json.loads(rotated.stdout)["columns"]}
    assert columns["channels.webhook_secret"] == {
        "column": "channels.webhook_secret", "sealed": 1, "unreadable": [],
    }  # fmt: skip
