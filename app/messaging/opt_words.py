"""The words by which customers leave and come back: STOP and START in their languages.

A word counts only when it is the whole message, whatever its case, accents, punctuation or
emoji: "Stop!" leaves, "stop, I have another question" does not. A business listens to English
and to its own language, because one language's stop is an everyday word of another.
"""

import unicodedata

from app.messaging.states import Notice

_CHARS_MAX = 40

STOP_WORDS: dict[str, tuple[str, ...]] = {
    "en": ("stop", "stop all", "unsubscribe", "opt out", "opt-out", "stop messages"),
    "ar": ("توقف", "قف", "إيقاف", "الغاء الاشتراك", "إلغاء الاشتراك", "إلغاء"),
    "de": ("stopp", "stop", "abmelden", "abbestellen", "aufhören", "keine nachrichten"),
    "es": ("stop", "alto", "parar", "baja", "darme de baja", "cancelar suscripción", "detener"),
    "fr": ("stop", "arrêt", "arrêter", "arrêtez", "désabonner", "se désabonner", "désinscription"),
    "hi": ("stop", "रोकें", "रोको", "बंद करें", "बंद करो"),
    "id": ("stop", "berhenti", "setop", "berhenti berlangganan", "hentikan"),
    "it": ("stop", "basta messaggi", "ferma", "fermati", "annulla iscrizione", "disiscrivimi"),
    "nl": ("stop", "stoppen", "afmelden", "uitschrijven"),
    "pl": ("stop", "zatrzymaj", "wypisz", "rezygnuję"),
    "pt": ("stop", "parar", "pare", "sair da lista", "descadastrar", "cancelar inscrição"),
    "ru": ("стоп", "отписаться", "отписка", "прекратить"),
    "tr": ("dur", "durdur", "iptal", "abonelikten çık"),
}
START_WORDS: dict[str, tuple[str, ...]] = {
    "en": ("start", "unstop", "resume", "subscribe", "opt in", "opt-in"),
    "ar": ("ابدأ", "ابدا", "بدء", "استئناف", "اشتراك"),
    "de": ("start", "starten", "weiter", "anmelden", "fortsetzen"),
    "es": ("start", "iniciar", "empezar", "alta", "reanudar", "continuar"),
    "fr": ("start", "démarrer", "reprendre", "commencer", "s'abonner"),
    "hi": ("start", "शुरू करें", "शुरू करो", "चालू करें"),
    "id": ("start", "mulai", "lanjut", "lanjutkan"),
    "it": ("start", "inizia", "iniziare", "riprendi", "iscrivimi"),
    "nl": ("start", "starten", "hervatten", "aanmelden"),
    "pl": ("start", "wznów", "zapisz"),
    "pt": ("start", "iniciar", "começar", "retomar", "continuar"),
    "ru": ("старт", "начать", "продолжить", "подписаться"),
    "tr": ("başla", "başlat", "devam"),
}


def opting_of(body: str | None, locale: str) -> Notice | None:
    """Tell whether a whole message means to leave or to come back, for a business's customers.

    Args:
        body: the message's text.
        locale: BCP 47, the language of the business's customers.
    """
    if not body or len(body) > _CHARS_MAX:
        return None
    said = _plain(body)
    for words, meaning in ((_STOP, Notice.OPTED_OUT), (_START, Notice.OPTED_IN)):
        if said and any(said in words[language] for language in languages(locale)):
            return meaning
    return None


def languages(locale: str) -> tuple[str, ...]:
    """Return the languages in which a business listens to these words."""
    own = locale.replace("_", "-").partition("-")[0].lower()
    return ("en", own) if own in STOP_WORDS and own != "en" else ("en",)


def _plain(text: str) -> str:
    """Return letters and digits in lower case without accents, one blank between words."""
    # The Turkish ı is an I in capitals, whose small letter is an i to everybody else.
    folded = unicodedata.normalize("NFKD", text).casefold().replace("ı", "i")
    kept = "".join(
        c if c.isalnum() else "" if unicodedata.category(c) in {"Mn", "Cf"} else " " for c in folded
    )
    return " ".join(kept.split())


def _plain_lists(lists: dict[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    return {language: frozenset(map(_plain, words)) for language, words in lists.items()}


_STOP = _plain_lists(STOP_WORDS)
_START = _plain_lists(START_WORDS)
