"""Phone numbers and addresses in a draft: the business's or the customer's, no others."""

import re
from collections.abc import Collection

from app.assistant.guards.links import TLDS, is_allowed, joined_up
from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import fold, visible

_SIGN = r"\s?(?:@|\(at\)|\[at\]|\{at\}|<at>)\s?"
_SAID = r"\s(?:at|arroba|chiocciola|klammeraffe|arobase)\s"
_AT = rf"(?:{_SIGN}|{_SAID})"
_EMAIL = re.compile(rf"(?<![\w.+-])[\w.+-]{{1,64}}{_SIGN}[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# "Prices start at 89.90" and "order at bakery.example" hold no address: see below.
_SAID_EMAIL = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{1,64}}{_SAID}(?P<host>[\w-]+(?:\.[\w-]+)*\.(?:{TLDS}))(?![\w@])",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"@[A-Za-z0-9_][\w.]{2,31}")
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d[\d\s().\-/]{6,22}\d(?![\w:])")
_CALL = re.compile(
    r"\b(?:call|phone|ring|dial|tel|whatsapp|text|llam\w+|telefon\w*|marque|lig(?:ue|ar)|ruf\w*|anruf\w*"
    r"|hubungi|telepon|appel\w+|chiam\w+|bel|ara\w*|позвон\w*)\b[^.\n\d]{0,20}(?P<number>\+?\d[\d\s()\-]{3,}\d)"
    r"(?![\w:])"
)
_DATE_OR_TIME = re.compile(
    r"(?<![\d./-])(?:\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}:\d\d)(?![\d/-]|\.\d)"
)
_AMOUNT = re.compile(r"\d{1,3}(?:[.,\s]\d{3})+(?:[.,]\d{1,2})?")
_DIGITS_MIN, _DIGITS_MAX = 8, 16
_CALL_DIGITS_MIN = 6
_SPOKEN_MIN = 7
# O and I among digits, as in 2O2-555-Ol43.
_MIXED = re.compile(r"[\dOoIl|][\dOoIl|().\s-]{5,}[\dOoIl|]")
_AS_DIGITS = str.maketrans("OoIl|", "00111")


def _digit_words(*lines: str) -> dict[str, str]:
    return {fold(word): str(n) for n, line in enumerate(lines) for word in line.split()}


_SPOKEN = _digit_words(
    "zero oh cero nol kosong null صفر sıfır ноль शून्य",
    "one uno un um uma une eins ein satu واحد bir один एक",
    "two dos dois duas deux zwei zwo due dua اثنان اثنين iki два दो",
    "three tres três trois drei tre tiga ثلاثة üç три तीन",
    "four cuatro quatro quatre vier quattro empat أربعة dört четыре चार",
    "five cinco cinq fünf cinque lima خمسة beş пять पांच",
    "six seis sechs sei enam ستة altı шесть छह",
    "seven siete sete sept sieben sette tujuh سبعة yedi семь सात",
    "eight ocho oito huit acht otto delapan ثمانية sekiz восемь आठ",
    "nine nueve nove neuf neun sembilan تسعة dokuz девять नौ",
)
_WORD = re.compile(r"[^\W_]+")


def inspect_contacts(draft: str, *, given: str, hosts: Collection[str] = ()) -> list[Finding]:
    """Return findings for numbers and addresses that stand nowhere in what was given.

    Args:
        draft: what the model wrote.
        given: facts, passages, tools' results and the customer's own words.
        hosts: where links may lead: who is to be found "at" one of them is no stranger.
    """
    text, findings, told = visible(draft), [], given.casefold()
    readings = (text, joined_up(draft))
    addresses = {m[0] for each in readings for m in _EMAIL.finditer(each)}
    addresses |= {
        m[0]
        for each in readings
        for m in _SAID_EMAIL.finditer(each)
        if m["host"].casefold() not in told and not is_allowed(m["host"], hosts)
    }
    if any(_plain_email(address) not in told for address in addresses):
        findings.append(Finding("contact", "email", Ruling.BLOCK))
    elif any(handle.casefold().rstrip(".") not in told for handle in _HANDLE.findall(text)):
        findings.append(Finding("contact", "handle", Ruling.BLOCK))
    known = re.sub(r"\D", "", visible(given))
    numbers = {*_numbers(text), *_numbers(_MIXED.sub(_digits_alone, text)), *_spoken(text)}
    if any(number not in known for number in numbers):
        findings.append(Finding("contact", "phone", Ruling.BLOCK))
    return findings


def _plain_email(raw: str) -> str:
    return re.sub(r"\s", "", re.sub(_AT, "@", raw, flags=re.IGNORECASE)).casefold()


def _digits_alone(match: re.Match[str]) -> str:
    whole = match[0]
    return whole.translate(_AS_DIGITS) if sum(c.isdigit() for c in whole) >= 5 else whole  # noqa: PLR2004


def _numbers(text: str) -> list[str]:
    found = []
    for match in _PHONE.finditer(text):
        raw = match[0].strip()
        digits = _digits(raw)
        is_amount = bool(_AMOUNT.fullmatch(raw)) and not raw.startswith(("+", "00"))
        if _DIGITS_MIN <= len(digits) <= _DIGITS_MAX and not is_amount:
            found.append(digits.lstrip("0"))  # at home without the country's code
    # Short ones too, where they are told as what to call.
    called = (_digits(match["number"]) for match in _CALL.finditer(fold(text)))
    return found + [each.lstrip("0") for each in called if len(each) >= _CALL_DIGITS_MIN]


def _digits(raw: str) -> str:
    return re.sub(r"\D", "", _DATE_OR_TIME.sub(" ", raw))


def _spoken(text: str) -> list[str]:
    """Return numbers that are told digit by digit, in words of any of these languages."""
    found, run, words = [], "", 0
    for word in [*_WORD.findall(fold(text)), ""]:
        digit = _SPOKEN.get(word)
        if digit is not None or (word.isdecimal() and run):
            run, words = run + (digit or word), words + (digit is not None)
            continue
        if len(run) >= _SPOKEN_MIN and words > 2:  # noqa: PLR2004 - "one or two" are no number
            found.append(run)
        run, words = (word, 0) if word.isdecimal() else ("", 0)
    return found
