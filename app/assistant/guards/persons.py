"""Whether a customer asks for a person: then one is called, whatever the model makes of it.

Only what is said plainly counts; the model, told to hand over, understands the rest.
"""

import re

from app.assistant.letters import fold

_SPEAK = (
    r"(?:talk|speak|chat)(?:ing)? (?:to|with)|connect me (?:to|with)|put me through to|transfer me to"
    r"|hablar con|comuniqueme con|pasame con|paseme con|ponme con|atienda|falar com|conversar com|me passa(?: para| com)?|me transfere para|transferir para"
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
    re.compile(rf"(?<!\w)(?:{_SPEAK})\s+(?:{_ONE})(?![\w']| tua\b)"),
    re.compile(
        rf"\b(?:mit|met) (?:{_ONE}) (?:\w+ )?(?:sprechen|reden|schreiben|verbind\w+|spreken|praten)\b"
    ),
    # Wanted, and named at the end: a "real person costume" and a "human skeleton" are goods.
    re.compile(
        r"\b(?:(?:want|need|would like|'d like|prefer|get me|give me|bring me|is there|are there)\s+(?:an?\s+|some\s+)?"
        r"(?:(?:real|actual|live|human) (?:person|human|agent|operator|being|help|support)|human|person|agent|manager|operator"
        r"|representative|someone|somebody)|(?:^an? |^)(?:real|actual|live|human) (?:person|human|agent|help|support))"
        r"(?:\s+(?:please|pls|here|now|instead|asap|right now|(?:i|we) can|(?:who|that) can|to (?:talk|speak|chat|help))\b.*)?$"
    ),
    re.compile(
        r"\b(?:insan|yetkili|temsilci|biri|birisi)\w{0,3}(?:yle| ile|siyle|yla|la|le)\s.{0,20}(?:konus|gorus)\w*"
        r"|\b(?:insan|yetkili|temsilci)\w{0,3}(?:ye|ya|e|a)\s.{0,10}(?:bagla|aktar)\w*"
    ),
    re.compile(
        r"(?:转|轉|找|要|接|换|換|请|請)(?:一?个|一?位)?(?:人工|真人)(?=$|客服|服务|服務|[吗嗎吧呢啊,，\s])|(?:人工|真人)(?:客服|服务|服務)"
        r"|(?:इंसान|व्यक्ति|वयकति|एजेंट|किसी) (?:से|के साथ) .{0,10}बात(?!.{0,12}नही)"
    ),
)
_ALONE = re.compile(
    r"\W*(?:(?:an? )?(?:human|agent|operator|representative|humano|agente|atendente|mensch|mitarbeiter|humain|conseiller|operatore"
    r"|medewerker|admin|petugas|оператор|konsultant|موظف|人工|真人)(?: (?:please|por favor|pls|bitte|svp|s'il vous plait|per favore"
    r"|tolong|prosze|пожалуйста|من فضلك|lutfen))?"
    # "A person" alone may as well be said of a table.
    r"|(?:person|persona|pessoa|personne|mens|manusia|человек|człowiek|شخص|insan) (?:please|por favor|pls|bitte|svp|s'il vous plait|per favore|tolong|prosze|пожалуйста|من فضلك|lutfen))\W*"
)
_NOT = re.compile(
    r"\b(?:do i (?:need|have) to|i(?:'ll| will)|(?:was|were|been) able to|managed to|pude|pudimos|logre|consegui|conseguimos|konnte)\b"
    r"|\b(?:don't|do not|no need|not (?:a|want)|without|no quiero|sin|nao quero|sem|nicht|kein\w*|ne .{0,12}pas|non voglio"
    r"|geen|tidak|jangan|не хочу|nie chce)\b|لا اريد|不要|不用"
)
_CHARS_MAX = 2_000


def asks_for_person(text: str) -> bool:
    """Tell whether a customer's latest words plainly ask for a person."""
    plain = fold(text[-_CHARS_MAX:].replace("’", "'"))[-_CHARS_MAX:]
    for sentence in map(str.strip, re.split(r"[.!?\n;。！？]+", plain)):
        if _ALONE.fullmatch(sentence):
            return True
        if any(_is_meant(sentence, match) for p in _ASKS for match in p.finditer(sentence)):
            return True
    return False


def _is_meant(sentence: str, match: re.Match[str]) -> bool:
    """Tell whether the words that ask are not refused in their own part of the sentence."""
    begin = max(sentence.rfind(sign, 0, match.start()) for sign in ",،，") + 1
    return not _NOT.search(sentence[begin : match.end()])
