"""Turns that a fixed text answers: no model, no hold, no charge.

A customer who leaves or comes back is told so once, and one who writes to a closed business
once a closed period. They go the way of every reply (ids, attempts, evidence), so nothing is
sent twice; that the text was sent or not changes nothing about what the message meant.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.messaging.sends import queueing
from app.messaging.sends.parts import Parts
from app.messaging.states import Notice
from app.messaging.turns.model import ClaimedTurn, Engine, Lease
from tenants import hours
from tenants.hours_words import back_sentence, language_of

_BUSINESS = text(
    """
    select t.locale, t.time_zone, t.handover_text, k.closed_text, k.week, k.special_days,
           now() as now
    from tenants t left join tenant_conduct k on k.tenant_id = t.id
    where t.id = :tenant_id
    """
)
_GENERATED = text(
    """
    update turns t set state = 'generated', generated_at = now(), failing_since = null,
        attempts = 1, result = jsonb_build_object('notice', r.notice)
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, epoch int, notice text)
    where t.tenant_id = :tenant_id and t.id = r.id and t.lease_epoch = r.epoch
      and t.state in ('claimed', 'held')
    """
)
LEFT: dict[str, str] = {
    "ar": "لن تتلقى ردودًا تلقائية بعد الآن. أرسل «ابدأ» إذا أردت العودة.",
    "de": "Sie erhalten keine automatischen Antworten mehr. Mit START geht es weiter.",
    "en": "You will not get automatic replies any more. Send START to come back.",
    "es": "Ya no recibirás respuestas automáticas. Envía START para volver.",
    "fr": "Vous ne recevrez plus de réponses automatiques. Envoyez START pour revenir.",
    "id": "Anda tidak akan menerima balasan otomatis lagi. Kirim START untuk kembali.",
    "it": "Non riceverà più risposte automatiche. Scriva START per tornare.",
    "pt": "Você não receberá mais respostas automáticas. Envie START para voltar.",
}
CAME_BACK: dict[str, str] = {
    "ar": "أهلًا بعودتك! كيف يمكننا مساعدتك؟",
    "de": "Willkommen zurück! Wie können wir helfen?",
    "en": "Welcome back! How can we help?",
    "es": "¡Qué bueno tenerte de vuelta! ¿En qué podemos ayudarte?",
    "fr": "Heureux de vous retrouver ! Comment pouvons-nous vous aider ?",
    "id": "Selamat datang kembali! Ada yang bisa kami bantu?",
    "it": "Bentornato! Come possiamo aiutarla?",
    "pt": "Que bom ter você de volta! Como podemos ajudar?",
}


def due(mine: Any) -> Notice | None:
    """Return the fixed text that a turn is answered with, or None when the model is asked.

    A question that came with it is answered, except by silence after a STOP.

    Args:
        mine: the turn as ``queries.MINE`` reads it.
    """
    notice = Notice(mine.notice) if mine.notice else None
    return notice if notice is Notice.OPTED_OUT or not mine.asks else None


async def speak(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    turns: Mapping[ClaimedTurn, Notice],
) -> dict[Lease, Parts]:
    """Queue the texts of turns that are locked and ours; return their parts."""
    if not turns:
        return {}
    business = (await connection.execute(_BUSINESS, {"tenant_id": tenant_id})).one()
    rows = as_rows(
        {"id": turn.id, "epoch": turn.epoch, "notice": notice.value}
        for turn, notice in turns.items()
    )
    await connection.execute(_GENERATED, {"tenant_id": tenant_id, "rows": rows})
    outgoing = {
        turn: queueing.Outgoing([_words(business, notice)]) for turn, notice in turns.items()
    }
    parts = await queueing.queue(
        connection, tenant_id, outgoing, answer_max_age_s=engine.settings.timings.answer_max_age_s
    )
    return {turn.lease: parts[turn.id] for turn in turns}


def _words(business: Any, notice: Notice) -> str:
    language = language_of(business.locale)
    if notice is Notice.OPTED_OUT:
        return LEFT[language]
    if notice is Notice.OPTED_IN or not business.closed_text:
        return CAME_BACK[language]
    return with_return(business.closed_text, business)


async def handover_words(
    connection: AsyncConnection, tenant_id: UUID, said: list[str]
) -> list[str]:
    """Return what a customer is told who is handed to people; may be nothing.

    Outside the hours of the business it says when people are there: with the assistant's own
    words, with the business's, or alone.

    Args:
        connection: the tenant's transaction.
        tenant_id: the tenant.
        said: what the assistant wrote, if it wrote anything.
    """
    business = (await connection.execute(_BUSINESS, {"tenant_id": tenant_id})).one()
    words = said or ([business.handover_text] if business.handover_text else [""])
    last = with_return(words[-1], business)
    return [*words[:-1], last] if last else []


def with_return(words: str, business: Any) -> str:
    """Add to a text when people are back, where they are not there now and hours are known."""
    now: datetime = business.now
    week = hours.from_stored(business.time_zone, business.week, business.special_days)
    opens = week.next_opening(now)
    if opens is None or opens <= now:
        return words
    sentence = back_sentence(opens, now, business.locale)
    return f"{words}\n\n{sentence}" if words else sentence
