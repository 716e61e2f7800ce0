"""How dates are said in English, Spanish, Portuguese, German, Indonesian and Arabic (folded)."""

import re

from app.assistant.letters import fold


def _table(*lines: str) -> dict[str, int]:
    return {fold(word): n for n, line in enumerate(lines) for word in line.split()}


WEEKDAYS = _table(
    "monday lunes segunda montag senin الاثنين الإثنين",
    "tuesday martes terça dienstag selasa الثلاثاء",
    "wednesday miércoles quarta mittwoch rabu الأربعاء",
    "thursday jueves quinta donnerstag kamis الخميس",
    "friday viernes sexta freitag jumat الجمعة",
    "saturday sábado samstag sabtu السبت",
    "sunday domingo sonntag minggu ahad الأحد",
)
MONTHS = {
    word: number + 1
    for word, number in _table(
        "january jan enero ene janeiro januar januari يناير",
        "february feb febrero fevereiro fev februar februari فبراير",
        "march mar marzo março märz maret مارس",
        "april apr abril abr أبريل",
        "may mayo maio mai mei مايو",
        "june jun junio junho juni يونيو",
        "july jul julio julho juli يوليو",
        "august aug agosto ago agustus أغسطس",
        "september sept sep septiembre setembro سبتمبر",
        "october oct okt octubre outubro oktober أكتوبر",
        "november nov noviembre novembro نوفمبر",
        "december dec diciembre dic dez dezembro dezember desember ديسمبر",
    ).items()
}
NUMBERS = {
    word: number + 1
    for word, number in _table(
        "one un uno una um uma ein einem einer satu",
        "two dos dois duas zwei dua",
        "three tres três drei tiga ثلاثة",
        "four cuatro quatro vier empat أربعة",
        "five cinco fünf lima خمسة",
        "six seis sechs enam ستة",
        "seven siete sete sieben tujuh سبعة",
        "eight ocho oito acht delapan ثمانية",
        "nine nueve nove neun sembilan تسعة",
        "ten diez dez zehn sepuluh عشرة",
    ).items()
}
UNITS = {
    fold(word): days
    for words, days in (
        ("day days día días dia dias tag tage tagen hari يوم أيام", 1),
        ("week weeks semana semanas woche wochen minggu أسبوع أسابيع", 7),
    )
    for word in words.split()
}
_N = rf"(?P<n>\d{{1,3}}|{'|'.join(NUMBERS)})"
_UNIT = rf"(?P<unit>{'|'.join(sorted(UNITS, key=len, reverse=True))})"
IN_N = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:in|within|en|dentro de|em|daqui a|dalam)\s+{_N}\s+{_UNIT}\b",
        rf"\b{_N}\s+{_UNIT}\s+(?:from now|from today|lagi|later)\b",
        rf"(?:بعد|خلال)\s+{_N}\s+{_UNIT}",
    )
)


def _said(days: int, *phrases: str) -> list[tuple[re.Pattern[str], int]]:
    return [(re.compile(rf"(?<!\w){fold(phrase)}(?!\w)"), days) for phrase in phrases]


RELATIVE = [
    *_said(2, "the day after tomorrow", "day after tomorrow", "pasado mañana", "depois de amanhã"),
    *_said(2, "übermorgen", "besok lusa", "lusa", "بعد غد", "بعد بكرة"),
    *_said(-2, "the day before yesterday", "anteayer", "anteontem", "vorgestern"),
    *_said(1, "tomorrow", "amanhã", "besok", "esok", "غدا", "بكرة"),
    # "mañana" is also the morning, "morgen" too: with an article or a day in front it is.
    *[
        (re.compile(pattern), 1)
        for pattern in (
            r"(?<!la )(?<!por la )(?<!de la )(?<!esta )(?<!pasado )\bmanana\b",
            r"(?<!guten )(?<!heute )\bmorgen\b",
        )
    ],
    *_said(-1, "yesterday", "ayer", "ontem", "gestern", "kemarin", "أمس", "امبارح"),
    *_said(0, "today", "tonight", "hoy", "hoje", "heute", "hari ini", "اليوم", "الليلة"),
    *_said(7, "a week from today", "in a week", "en una semana", "em uma semana", "in einer woche"),
]
_WEEK_AFTER = "|".join(
    fold(phrase)
    for phrase in (
        "next week", "(?:de )?la semana que viene", "(?:de )?la próxima semana", "(?:da )?semana que vem",
        "(?:da )?próxima semana", "nächste woche", "nächster woche", "kommende woche", "kommender woche",
        "minggu depan", "الأسبوع القادم", "الأسبوع المقبل",
    )
)  # fmt: skip
OF_NEXT_WEEK = (re.compile(rf"^,?\s*(?:of |en |in |de |da )?(?:{_WEEK_AFTER})(?!\w)"),
                re.compile(rf"(?<!\w)(?:{_WEEK_AFTER}),?\s*(?:on |el |na |no |am |hari |يوم )?$"))  # fmt: skip
"""Behind a weekday, and in front of it: the one of the coming week."""
A_WEEK_LATER = (
    re.compile(
        r"^\s+(?:week\b|in (?:a|one|einer) (?:week|woche)\b|after next\b|en (?:una semana|ocho dias))"
    ),
    re.compile(r"\b(?:a|one|eine) (?:week|woche) (?:(?:on|from|ab|nach)\s*)?$|\bweek after\s*$"),
)
GONE = (
    re.compile(r"^\s+(?:pasado|passad[oa]|lalu|kemarin|الماضي|الماضيه|ago\b)"),
    re.compile(r"\b(?:last|past|letzten|letzte|vergangenen|el pasado|ultimo|ultima)\s*$"),
)
TODAY_TOO = frozenset(
    fold(word) for word in ("this", "este", "esta", "diesen", "neste", "nesta", "ini")
)
"""Words with which a weekday may be today."""
NEXT_WEEK = frozenset(fold(word) for word in ("next", "nächsten", "nächster", "nächste", "depan"))
"""Words that mean the day of the coming week, not the coming day."""
DAY_WORDS = tuple(
    fold(word)
    for word in (
        "next", "this", "on", "coming", "próximo", "próxima", "este", "esta", "el", "na", "no",
        "nesta", "neste", "am", "diesen", "kommenden", "nächsten", "nächster", "nächste", "hari",
        "يوم",
    )
)  # fmt: skip
AFTER_NEXT_WORDS = tuple(
    fold(word) for word in ("que viene", "que vem", "depan", "ini", "القادم", "المقبل")
)
ORDINAL_DAY = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:on\s+)?the\s+(?P<day>[12]?\d|3[01])(?:st|nd|rd|th)\b",
        r"\b(?:el\s+)?dia\s+(?P<day>[12]?\d|3[01])\b",
        r"\bno\s+dia\s+(?P<day>[12]?\d|3[01])\b",
        r"\b(?:am|zum)\s+(?P<day>[12]?\d|3[01])\.(?!\d)",
        r"\btanggal\s+(?P<day>[12]?\d|3[01])\b",
        r"يوم\s+(?P<day>[12]?\d|3[01])\b",
    )
)
