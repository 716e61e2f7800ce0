"""What is remembered of a customer: short facts, one value a key, seen and erased by people."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import NotFoundError, RefusedError
from app.core.text import storable

FACTS_MAX = 30
KEY_CHARS_MAX = 60
VALUE_CHARS_MAX = 300

# What does not belong into memory, whoever says it: what opens an account or proves who somebody
# is, by its shape or by the name it is given, and ways out of the chat.
_LONG_NUMBER = re.compile(r"(?:\d[\s.\-/]{0,3}){9,}")
_IDENTITY = re.compile(
    r"\b(?:[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,8}[A-Z0-9]{0,4}"  # IBAN
    r"|\d{3}-\d{2}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{8}[A-Z]|[XYZ]\d{7}[A-Z]|[A-Z]{1,2}\d{7,8})\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])\S{20,}")
_SECRET_NAME = re.compile(
    r"\b(?:pass ?(?:word|wd|code|phrase|port)|cvv|cvc|ssn|otp|iban|api key|token|secret"
    r"|security (?:code|number)|credit card|debit card|card number|bank account|social security"
    r"|(?:id|identity)(?: card| number)+|tax id|contrasena|clave|tarjeta|dni|pasaporte"
    r"|cuenta bancaria|senha|cartao|cpf|passaporte|conta bancaria|passwort|kennwort|kreditkarte"
    r"|kontonummer|ausweis|reisepass|steuernummer|mot de passe|carte bancaire|passeport|kata sandi"
    r"|kartu kredit|rekening|ktp|paspor|codice fiscale|carta di credito)\b"
    # Words that are other things too (a badge, a name, never), until a number stands behind them.
    r"|\b(?:pin|id|nik|nie|sandi)(?: code| number)?\W{0,4}[xyz]?\d"
    r"|كلمة (?:السر|المرور)|بطاقة|جواز|رقم الهوية|الحساب البنكي|пароль|паспорт|密码|身份证"
)
_DATE_OR_TIME = re.compile(
    r"(?<![\d.-])(?:\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d|\d{1,2}:\d\d)(?![\d-])"
)
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)

# The oldest facts leave when a contact has too many.
_REMEMBER = text(
    """
    with kept as (
        insert into contact_facts as f (tenant_id, id, contact_id, key, value, turn_id)
        values (:tenant_id, :id, :contact_id, :key, :value, :turn_id)
        on conflict (tenant_id, contact_id, key) do update
        set value = excluded.value, turn_id = excluded.turn_id, updated_at = now()
        returning f.id
    )
    delete from contact_facts
    where tenant_id = :tenant_id and contact_id = :contact_id and id in (
        select id from contact_facts
        where tenant_id = :tenant_id and contact_id = :contact_id
          and id not in (select id from kept)
        order by updated_at desc, id desc offset :others_max)
    """
)
_OF = text(
    """
    select id, key, value, turn_id, updated_at from contact_facts
    where tenant_id = :tenant_id and contact_id = :contact_id order by key
    """
)
_FORGET = text(
    """
    delete from contact_facts
    where tenant_id = :tenant_id and contact_id = :contact_id and id = :id returning id
    """
)
_VERIFY = text(
    """
    insert into contact_verifications (tenant_id, contact_id) values (:tenant_id, :contact_id)
    on conflict (tenant_id, contact_id) do update set verified_at = now()
    """
)
_VERIFIED = text(
    """
    select exists (select 1 from contact_verifications
                   where tenant_id = :tenant_id and contact_id = :contact_id
                     and verified_at > now() - make_interval(secs => :for_s))
    """
)
VERIFIED_FOR_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact to be kept, and the turn that it came from."""

    key: str
    value: str
    turn_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ContactFact:
    """A fact that is kept."""

    id: UUID
    key: str
    value: str
    turn_id: UUID | None
    updated_at: datetime


async def remember(
    connection: AsyncConnection, tenant_id: UUID, contact_id: UUID, fact: NewFact
) -> None:
    """Keep a fact; a known key gets its new value, beyond 30 facts the oldest leaves.

    Raises:
        RefusedError: nothing to keep, something secret, or a link.
    """
    key, value = _line(fact.key).casefold(), _line(fact.value)
    if not key or not value or len(key) > KEY_CHARS_MAX or len(value) > VALUE_CHARS_MAX:
        raise RefusedError(
            "A fact has a name of up to %(key_chars)s characters and a value of up to"
            " %(value_chars)s.",
            key_chars=KEY_CHARS_MAX,
            value_chars=VALUE_CHARS_MAX,
        )
    if _is_secret(key, value) or _LINK.search(value):
        raise RefusedError("Passwords, card, account and identity numbers and links are not kept.")
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "id": ids.uuid7(),
        "contact_id": contact_id,
        "key": key,
        "value": value,
        "turn_id": fact.turn_id,
        "others_max": FACTS_MAX - 1,
    }
    await connection.execute(_REMEMBER, values)


async def facts_of(
    connection: AsyncConnection, tenant_id: UUID, contact_id: UUID
) -> list[ContactFact]:
    """Return what is remembered of a contact, by key."""
    found = await connection.execute(_OF, {"tenant_id": tenant_id, "contact_id": contact_id})
    return [ContactFact(**row) for row in found.mappings()]


async def forget(
    connection: AsyncConnection, tenant_id: UUID, contact_id: UUID, fact_id: UUID
) -> None:
    """Erase one fact; NotFoundError when it is unknown, foreign or another contact's."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "id": fact_id}
    if await connection.scalar(_FORGET, values) is None:
        raise NotFoundError("There is no such fact.")


async def mark_verified(connection: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> None:
    """Record that a contact proved to have their phone, now."""
    await connection.execute(_VERIFY, {"tenant_id": tenant_id, "contact_id": contact_id})


async def is_verified(connection: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> bool:
    """Tell whether that was within the last 12 hours."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "for_s": VERIFIED_FOR_S}
    return bool(await connection.scalar(_VERIFIED, values))


def _is_secret(key: str, value: str) -> bool:
    plain = unicodedata.normalize("NFKD", f"{key.replace('_', ' ')} {value}").casefold()
    named = "".join(c for c in plain if not unicodedata.combining(c))
    shapes = (_LONG_NUMBER, _IDENTITY, _TOKEN)
    undated = _DATE_OR_TIME.sub("|", value)
    return bool(_SECRET_NAME.search(named)) or any(shape.search(undated) for shape in shapes)


def _line(raw: str) -> str:
    return " ".join(storable(raw, chars_max=1_000).split())
