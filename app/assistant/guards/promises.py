"""Promises of later work, and claims of work that no tool did, in six languages.

An assistant only answers now. "I'll get back to you" is a promise that nobody keeps, and "I have
cancelled it" is a lie unless a tool just cancelled it.
"""

import re

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import fold

_LATER = re.compile(
    "|".join(
        (
            # English
            r"\b(?:i|we)(?:'ll| will| am going to| are going to|'m going to|'re going to| shall)\s+"
            r"(?:\w+\s+){0,2}(?:get back|come back to you|check|look into|find out|follow up|contact|call"
            r"|email|e-mail|write|message|notify|remind|let you know|update you|send you|forward|arrange"
            r"|investigate|ask (?:my|our|the|a))\b",
            r"\b(?:let me|allow me to)\s+(?:\w+\s+){0,1}(?:check|find out|look into|ask|confirm)\b.{0,40}"
            r"\b(?:back|later|soon|moment|shortly)\b",
            r"\b(?:someone|somebody|a colleague|our team|the team|we)\s+(?:will|is going to)\s+(?:\w+\s+)?"
            r"(?:contact|call|email|get back|reach out|be in touch|write)\b",
            # Spanish
            r"\b(?:te|le|les|os)\s+(?:avisare|avisaremos|contactare|contactaremos|llamare|llamaremos"
            r"|escribire|escribiremos|enviare|enviaremos|informare|informaremos|respondere|confirmare"
            r"|confirmaremos|recordare)\b",
            r"\b(?:voy|vamos) a (?:\w+\s+)?(?:consultar|averiguar|comprobar|revisar|preguntar|contactar"
            r"|llamar|avisar|enviar)\w*\b",
            r"\b(?:me|nos) pondre(?:mos)? en contacto\b",
            # Portuguese
            r"\b(?:irei|iremos|vou|vamos)\s+(?:\w+\s+)?(?:verificar|consultar|perguntar|contatar|contactar"
            r"|ligar|avisar|enviar|confirmar|retornar|checar)\b",
            r"\b(?:entrarei|entraremos|retornarei|retornaremos)\s+(?:em contato|em contacto)?\b",
            r"\b(?:avisarei|avisaremos|ligarei|enviarei|enviaremos|confirmarei)\b",
            # German
            r"\b(?:ich|wir)\s+(?:werde|werden|melde|melden)\s+(?:mich|uns|das|es|sie|ihnen|dir|euch|es ihnen"
            r"|mich bei|uns bei)?\b.{0,60}\b(?:melden|nachfragen|prufen|klaren|informieren|kontaktieren"
            r"|anrufen|schicken|senden|bescheid|erinnern|zuruck|bald|spater)\b",
            r"\b(?:ich|wir) (?:frage|fragen|schaue|schauen|klare|klaren|prufe|prufen)\b.{0,40}\b(?:nach"
            r"|und melde|und sage|bescheid)\b",
            # Indonesian
            r"\b(?:saya|kami)\s+akan\s+(?:\w+\s+)?(?:menghubungi|hubungi|mengecek|cek|menanyakan|tanyakan"
            r"|mengabari|kabari|mengirim\w*|kirim\w*|memberi\s?tahu|memberitahu|memastikan|konfirmasi\w*"
            r"|mengingatkan|menelepon)\b",
            # Arabic
            r"(?:^|\s)(?:س|سوف\s+)(?:ا|ن)?(?:تواصل|تصل|رسل|تحقق|خبر|علم|رد|راجع|سال|تابع|وافي)\w*",
        )
    )
)
_DONE = re.compile(
    "|".join(
        (
            r"\b(?:i|we)(?:'ve| have)?\s+(?:just |already |now )?(?:booked|reserved|cancell?ed|refunded|changed"
            r"|updated|rescheduled|ordered|placed (?:the|your) order|transferred|notified|forwarded"
            r"|sent|registered|confirmed your|applied (?:a|the|your))\b",
            r"\byour (?:booking|reservation|order|appointment|refund|account|subscription|delivery)\s+"
            r"(?:\w+\s+)?(?:has been|is now|was)\s+(?:\w+\s+)?(?:booked|made|confirmed|cancell?ed|refunded"
            r"|changed|updated|rescheduled|placed|issued|processed|deleted)\b",
            r"\b(?:he|hemos)\s+(?:\w+\s+)?(?:reservado|cancelado|cambiado|reembolsado|anulado|confirmado"
            r"|enviado|registrado|actualizado|pedido|devuelto)\b",
            r"\b(?:ja |acabo de |acabei de )?(?:reservei|cancelei|alterei|reembolsei|confirmei|enviei|registrei"
            r"|atualizei|reservamos|cancelamos|alteramos|reembolsamos|remarquei)\b",
            r"\b(?:ich|wir)\s+habe?n?\b.{0,60}\b(?:gebucht|reserviert|storniert|erstattet|geandert|bestellt"
            r"|bestatigt|verschoben|geschickt|gesendet|uberwiesen|eingetragen|weitergeleitet)\b",
            r"\b(?:saya|kami)\s+(?:sudah|telah)\s+(?:\w+\s+)?(?:memesan\w*|membatalkan|mengubah|mengembalikan"
            r"|mengkonfirmasi|mengonfirmasi|mengirim\w*|mencatat|menjadwalkan|mendaftarkan)\b",
            r"(?:لقد|تم|قمت|قمنا)\s+\w*(?:حجز|الغاء|الغي|تغيير|تعديل|استرداد|تاكيد|ارسال|تسجيل)\w*",
        )
    )
)


def inspect_promises(draft: str, *, acted: bool) -> list[Finding]:
    """Return findings for what a draft promises or claims.

    Args:
        draft: what the model wrote as an answer (a hand-over may speak of the people).
        acted: True when a tool of the business did something in this turn.
    """
    plain = fold(draft.replace("’", "'"))
    found = []
    if _LATER.search(plain):
        found.append(Finding("promise", "later", Ruling.REPAIR))
    if not acted and _DONE.search(plain):
        found.append(Finding("promise", "claimed", Ruling.REPAIR))
    return found
