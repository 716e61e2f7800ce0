"""Which language a text is in: by its script, else by its small words. Unknown stays unknown."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache

# Small words that are frequent in one language and rare in the others.
_SMALL_WORDS = {
    "en": (
        "the a in me he no am us was did please so as by and is are you your do does can how"
        " what where when which with for of to this that have has it we i my if will would"
        " there from or on at be not an any long much get who why could should may must need"
        " want does don't isn't can't i'm it's their they them she his her our been were had"
        " about after before into out up than then only just some all more also but because"
    ),
    "es": (
        "el la me han he los las una unas es son está están y pero cómo qué cuál dónde cuándo"
        " cuánto por para con del al se su sus tiene tienen hay puedo puede mi lo muy más si"
        " hacen cuesta tienes ustedes no que como cual donde cuando cuanto en un de mis te le"
        " les nos ya hasta desde sin sobre entre este esta esto ese esa fue fui era soy eres"
        " somos a me tengo tenemos tener hacer hago hace quiero queremos necesito necesita debo"
        " dejar deja dice estoy estamos había he hemos ha aquí allí también porque después"
        " antes ahora hoy ayer mañana todo todos toda cada otro otra mucho hola gracias favor"
    ),
    "pt": (
        "o me já os um uma é são está e mas como quê qual onde quando quanto por para com do"
        " da dos das no na ao se seu sua tem têm há posso pode meu minha muito mais não vocês"
        " você vcs custa fazem a as de em nos nas aos que eu ele ela nós eles até desde sem"
        " sobre entre este esta isso esse essa foi fui era sou estou estamos tenho temos ter"
        " fazer faço faz quero queremos preciso precisa devo deixa diz nao voce ja ate pra pro"
        " aqui ali também porque depois antes agora hoje ontem amanhã tudo todos toda cada"
        " outro outra olá oi obrigado obrigada meus minhas pela pelo num numa fica cadê"
    ),
    "de": (
        "der die das und ist sind ich wir ihr sie ein eine einen wie was wo wann welche mit"
        " für von zu auf bei nicht kann können haben hat es gibt mein meine ihre wieviel viel"
        " wird im zum zur dem den des einem einer eines welcher welchen welches wer wem warum"
        " muss müssen darf dürfen soll will wollen möchte habe hatte war bin hast habt seid"
        " kein keine keinen meinen meinem meiner unser unsere euch uns mir mich dir aus nach"
        " über unter durch ohne seit bis vor als wenn ob dass aber oder auch noch schon nur"
        " sehr mehr hier dort am an um so er in selbst los weg jetzt heute gestern bitte"
        " danke kostet kosten brauche braucht bekomme geht"
    ),
    "fr": (
        "le la les des une est sont et mais comment quel quelle où quand combien pour avec du"
        " au aux vous votre vos je mon ma peut puis avez il elle dans sur pas ne que qui ce"
        " cette un de en se ses mes nous notre nos on y suis êtes ont ai as a été faire fait"
        " faut dois doit peux pouvez voulez veux voudrais quels quelles pourquoi jusqu'à"
        " depuis sans chez plus très aussi après avant aujourd'hui hier demain tout tous bonjour"
    ),
    "it": (
        "il la gli una sono è e ma come che quale dove quando quanto con della dei delle al"
        " alla avete posso può mio mia nel non si di questo questa ho fate costa lo le un i a"
        " da in su del dello nella sul ci mi ti hai ha abbiamo hanno deve devo fare chi"
        " perché fino senza anche più molto dopo prima oggi ieri domani tutto tutti ogni ciao"
    ),
    "nl": (
        "de het een en is zijn ik wij jullie hoe wat waar wanneer welke met voor van op bij"
        " niet kan kunnen hebben heeft er mijn uw hoeveel naar ook kost dat die dit in te om"
        " aan als maar of je we moet mag wil heb ben geen meer nog tot uit door over"
    ),
    "id": (
        "yang dan di ke dari apa apakah bagaimana berapa kapan dimana mana untuk dengan ada"
        " bisa saya anda kami kita ini itu tidak atau pada jika boleh punya kah ya sudah akan"
        " mau gimana nya kalau harga jam buka toko aku kamu dia mereka belum bukan jangan harus"
        " perlu butuh ingin dapat bolehkah bisakah adakah kenapa mengapa siapa sampai sejak"
        " karena tapi tetapi juga lagi saja hanya sangat sekali terlalu lebih kurang semua"
        " setiap satu dua tiga oleh tentang seperti agar supaya hari bulan tahun minggu kali"
        " dalam luar atas bawah depan cara orang rumah tolong mohon terima kasih halo besok"
    ),
    "tr": (
        "ve bir bu için ile mı mi ne nasıl nerede kaç var mısınız musunuz değil ben siz çok"
        " daha olan mu mü da de ki ama veya yok hangi kim neden zaman kadar sonra önce gün"
        " istiyorum olur lazım gerekiyor benim sizin"
    ),
}
# How words of a language end or begin where English ones seldom do. Weak: they only tell that a
# question is foreign, not in what.
_SHAPES = (
    (
        frozenset({"es", "pt", "it"}),
        re.compile(r"\w{3,}(?:[ao]s?|ción|ciones|dade?|mente|ar|ir|ó|í|é|ão|ões|ei|ou)"),
    ),
    (
        frozenset({"de"}),
        re.compile(
            r"\w*(?:sch|tz|cht|pf|eur)\w*|\w{3,}(?:ung|ungen|heit|keit|lich|isch|ieren|ste)"
        ),
    ),
    (
        frozenset({"id"}),
        re.compile(r"(?:me[mn]|meng|ber|ter|pe[mn])\w{4,}|di\w{4,}an|\w{3,}(?:nya|kan|kah)"),
    ),
)
_SCRIPTS = (
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)
_LETTERS = {
    "es": re.compile("[ñ¿¡]"),
    "pt": re.compile("[ãõ]|ção|ções"),
    "de": re.compile("[ßäöü]"),
    "tr": re.compile("[ığş]"),
    "fr": re.compile("[èêœ]|qu'|l'|d'"),
}
_WORD = re.compile(r"[^\W\d_]+")
_WORDS_MAX = 400
_SCRIPT_SHARE_MIN = 0.3
_LEAD_MIN = 1.0
_SHAPE_WEIGHT = 0.25
_FOREIGN_LEAD_MIN = 0.5

# PostgreSQL's text search configurations; "simple" only folds case.
_CONFIGURATIONS = {
    "ar": "arabic",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
    "ru": "russian",
    "tr": "turkish",
}


def detect(text: str) -> str | None:
    """Return a text's language as ISO 639-1; None when its words do not tell."""
    votes = _votes(text)
    ranked = votes.most_common(2)
    if not ranked:
        return None
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    if ranked[0][1] - second >= _LEAD_MIN or ranked[0][1] >= 2 * second:
        return ranked[0][0]
    return None


def is_foreign(text: str, languages: Collection[str]) -> bool:
    """Tell whether a text is in none of some languages, even where it is not clear in which.

    Spanish and Portuguese questions often have the same small words: foreign to English both.
    Where no small word tells, the shapes of the others do ("Perdí las llaves" has none).
    """
    # A word that is at home in both ("no", "do", "a") tells nothing.
    lead = 0
    for owners in _owned(text):
        shared = owners.intersection(languages)
        lead += -1 if shared == owners else int(not shared)
    shaped = Counter(not owners.isdisjoint(languages) for owners in _shaped(text))
    return lead + _SHAPE_WEIGHT * (shaped[False] - shaped[True]) > _FOREIGN_LEAD_MIN


def _shaped(text: str) -> Iterator[frozenset[str]]:
    """The languages that words without an owner look like."""
    for word in _WORD.findall(text.lower())[:_WORDS_MAX]:
        if word not in _owners():
            for owners, pattern in _SHAPES:
                if pattern.fullmatch(word):
                    yield owners


def _votes(text: str) -> Counter[str]:
    votes: Counter[str] = Counter()
    for owners in _owned(text):
        for language in owners:
            votes[language] += 1 / len(owners)  # type: ignore[assignment]
    return votes


def _owned(text: str) -> Iterator[frozenset[str]]:
    """The languages that each telling word, script or letter of a text belongs to."""
    lowered = text.lower()
    words = _WORD.findall(lowered)[:_WORDS_MAX]
    letters = "".join(words)
    for language, script in _SCRIPTS:
        if letters and len(script.findall(letters)) >= _SCRIPT_SHARE_MIN * len(letters):
            yield from [frozenset({language})] * len(words)
            return
    for word in words:
        if owners := _owners().get(word):
            yield owners
    for language, pattern in _LETTERS.items():
        if pattern.search(lowered):
            yield frozenset({language})


def configuration(language: str | None) -> str:
    """Return the text search configuration for a language."""
    return _CONFIGURATIONS.get(language or "", "simple")


@cache
def _owners() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for language, words in _SMALL_WORDS.items():
        for word in words.split():
            found.setdefault(word, set()).add(language)
    return {word: frozenset(owners) for word, owners in found.items()}
