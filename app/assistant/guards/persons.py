"""Whether a customer asks for a person: then one is called, whatever the model makes of it.

Only what is said plainly counts; the model, told to hand over, understands the rest.
"""

import re

from app.assistant.letters import fold

_SPEAK = (
    r"(?:talk|speak|chat)(?:ing)? (?:to|with)|connect me (?:to|with)|put me through to|transfer me to|get me|give me"
    r"|hablar con|comuniqueme con|pasame con|paseme con|ponme con|atienda|falar com|conversar com|me passa"
    r"|(?:sprechen|reden|schreiben|verbinden) .{0,20}mit|parler (?:a|avec)|passez-moi|parlare con|mi passi"
    r"|spreken met|praten met|bicara dengan|berbicara dengan|ngobrol dengan|hubungkan (?:saya )?(?:ke|dengan)"
    r"|rozmawiac z|поговорить с|соедините .{0,20}с|التحدث (?:مع|الى)|اتحدث مع|اكلم|التكلم مع|الكلام مع"
)
_ONE = (
    r"(?:(?:a|an|the|some|any|your|real|actual|live|human)\s+){0,3}(?:person|human(?: being)?|someone(?: real)?|somebody"
    r"|agent|representative|operator|manager|owner|employee|colleague|member of staff|staff|customer (?:service|support))"
    r"|(?:(?:un|una|el|la|algun|alguna|su|tu)\s+)?(?:persona(?: real)?|humano|alguien|agente(?: humano)?|asesor|encargad[oa]"
    r"|duen[oa]|responsable|operador)|(?:(?:um|uma|o|a|algum)\s+)?(?:pessoa(?: real)?|humano|alguem|atendente|gerente|responsavel"
    r"|dono)|(?:(?:einem|einer|dem|der|ihrem|einen)\s+)?(?:menschen|person|mitarbeiter(?:in)?|kollegen|kollegin|chef(?:in)?|jemandem)"
    r"|(?:(?:un|une|le|la|quelqu')\s*)?(?:personne|humain|quelqu'un|conseiller|conseillere|agent|responsable)"
    r"|(?:(?:un|una|il|la)\s+)?(?:persona|operatore|umano|qualcuno|responsabile)|(?:een\s+)?(?:mens|persoon|medewerker|iemand)"
    r"|(?:seorang\s+)?(?:manusia|orang|petugas|admin|staf|cs|pemilik)(?: asli)?|(?:kims|człowiekiem|czlowiekiem|konsultantem|pracownikiem)\w*"
    r"|(?:живым\s+)?(?:человеком|оператором|менеджером|сотрудником)|(?:شخص|موظف|انسان|احد|المدير|ممثل)(?: حقيقي)?"
)
_ASKS = (
    re.compile(rf"(?<!\w)(?:{_SPEAK})\s+(?:{_ONE})(?!\w)"),
    re.compile(
        rf"\b(?:mit|met) (?:{_ONE}) (?:\w+ )?(?:sprechen|reden|schreiben|verbind\w+|spreken|praten)\b"
    ),
    re.compile(
        r"\b(?:real|actual|live|human) (?:person|human|agent|being)\b|\bhuman (?:help|support|please)\b"
    ),
    re.compile(
        r"\b(?:insan|yetkili|temsilci|biri|birisi)(?:yle| ile|siyle|yla|la|le)?\s.{0,20}(?:konus|gorus|bagla)\w*"
    ),
    re.compile(
        r"(?:转|轉|找|要|接|请|請)?(?:人工|真人)(?:客服|服务|服務)?|(?:इंसान|व्यक्ति|वयकति|एजेंट|किसी) (?:से|के साथ) .{0,10}बात"
    ),
)
_ALONE = re.compile(
    r"\W*(?:an? )?(?:human|person|agent|operator|representative|humano|persona|agente|atendente|pessoa|mensch|mitarbeiter"
    r"|personne|humain|conseiller|operatore|medewerker|mens|manusia|admin|petugas|оператор|человек|człowiek|konsultant|موظف|شخص"
    r"|insan|人工|真人)(?:,? (?:please|por favor|pls|bitte|svp|s'il vous plait|per favore|tolong|prosze|пожалуйста|من فضلك|lutfen))?\W*"
)
_NOT = re.compile(
    r"\b(?:don't|do not|no need|not (?:a|want)|without|no quiero|sin|nao quero|sem|nicht|kein\w*|ne .{0,12}pas|non voglio"
    r"|geen|tidak|jangan|не хочу|nie chce)\b|لا اريد|不要|不用"
)
_CHARS_MAX = 2_000


def asks_for_person(text: str) -> bool:
    """Tell whether a customer's latest words plainly ask for a person."""
    plain = fold(text[-_CHARS_MAX:].replace("’", "'"))
    for sentence in re.split(r"[.!?\n;。！？]+", plain):
        if _ALONE.fullmatch(sentence):
            return True
        if any(pattern.search(sentence) for pattern in _ASKS) and not _NOT.search(sentence):
            return True
    return False
