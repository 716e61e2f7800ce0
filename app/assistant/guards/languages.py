"""Which language a text is in, when that is sure: by its script, else by its small words."""

import re
from collections import defaultdict

from app.assistant.letters import visible

NAMES = {
    "en": "English",
    "es": "Spanish",
    "pt": "Portuguese",
    "de": "German",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "id": "Indonesian",
    "tr": "Turkish",
    "pl": "Polish",
    "ar": "Arabic",
    "ru": "Russian",
    "el": "Greek",
    "he": "Hebrew",
    "hi": "Hindi",
    "th": "Thai",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
}
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_SMALL_WORDS = {
    "en": "to at on of be the is are you your we our and or for with how what where when which can do does have has it's i'm not this that there please thanks would will from until open much",
    "es": "el los las es son está están usted ustedes tú nosotros nuestro nuestra y o para con cómo qué dónde cuándo cuál puedo puede tienen tiene hay no esto eso gracias desde hasta abierto cuánto muy pero una del al por si hola",
    "pt": "o os as é são está estão você vocês nós nosso nossa e ou para com como que onde quando qual posso pode têm tem há não isto isso obrigado obrigada desde até aberto quanto muito mas uma do da dos das ao pelo pela em um olá oi",
    "de": "der die das ist sind sie ihr wir unser unsere und oder für mit wie was wo wann welche kann können haben hat nicht dies bitte danke würde wird von bis geöffnet viel ich ein eine im am zum es gibt",
    "fr": "le les est sont vous votre nous notre et ou pour avec comment que où quand quel peux peut avez avons pas ceci merci depuis jusqu'à ouvert combien très mais une du des au aux je dans bonjour",
    "it": "il gli è sono lei voi noi nostro nostra e o per con come che dove quando quale posso può avete abbiamo non questo grazie da fino aperto quanto molto ma una del della nel ciao di un",
    "nl": "de het is zijn u uw wij onze en of voor met hoe wat waar wanneer welke kan kunnen hebben heeft niet dit dat bedankt van tot open veel maar een ik jullie ook",
    "id": "yang dan atau untuk dengan bagaimana apa di mana kapan bisa dapat ada tidak ini itu terima kasih dari sampai hingga buka berapa sangat tapi kami kita anda kamu saya ke pada sudah belum apakah",
    "tr": "ve veya için ile nasıl ne nerede zaman hangi var yok değil bu şu teşekkürler kadar açık çok ama bir biz siz ben mı mi mu",
    "pl": "i lub dla jak co gdzie kiedy który mogę może macie mamy nie to tamto dziękuję od do otwarte ile bardzo ale jest są w na z się czy",
}
_TABLE = {
    word: frozenset(code for code, words in _SMALL_WORDS.items() if word in words.split())
    for words in _SMALL_WORDS.values()
    for word in words.split()
}
_CHARS_MAX = 4_000
_LETTERS_MIN = 6
_HITS_MIN = 3
_LEAD = 1.6


def sure_language(text: str) -> str | None:
    """Return a text's language as a two-letter code, or None when it may be one of several."""
    seen = visible(text[:_CHARS_MAX])[:_CHARS_MAX]
    letters = len(_LETTER.findall(seen))
    if letters < _LETTERS_MIN:
        return None
    for code, script in _SCRIPTS:
        if len(script.findall(seen)) > letters * 0.5:
            return code
    votes: defaultdict[str, float] = defaultdict(float)
    for word in _WORD.findall(seen.casefold().replace("’", "'")):
        codes = _TABLE.get(word, frozenset())
        for code in codes:
            votes[code] += 1 / len(codes)
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])[:2]
    if not ranked or ranked[0][1] < _HITS_MIN:
        return None
    if len(ranked) > 1 and ranked[0][1] < ranked[1][1] * _LEAD:
        return None
    return ranked[0][0]
