"""Texts made comparable: without case, accents, invisible characters and look-alike letters."""

import re
import unicodedata

# Zero-width characters, soft hyphens, direction marks: they hide words from a reader of bytes.
# And the frame of keycap emoji, which are digits.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u20e3\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
_TATWEEL = "\u0640"
# Letters of other alphabets, digits and signs that stand in for Latin letters.
_LOOK_ALIKES = str.maketrans(
    "авекмнорстухіјѕԁԛԝһӏαβεηικνορτυχγω0134578$@|!",
    "abekmhopctyxijsdqwhlabenikvoptuxywoieastbsaii",
)


def visible(text: str) -> str:
    """Return a text without characters that nobody sees, in compatibility form (NFKC)."""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


def fold(text: str) -> str:
    """Return a text for comparing words: lower case, without accents and vowel marks."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", visible(text).casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c) and c != _TATWEEL)


def bare(text: str) -> str:
    """Return only the letters and digits of a text, folded: spacing and marks do not hide it."""
    return "".join(c for c in fold(text) if c.isalnum())


def skeleton(text: str) -> str:
    """Return a text's letters, folded, with look-alikes as the Latin letters that they look like.

    Only for comparing two texts that both went through it: ``1`` and ``l`` become ``i``, and so on.
    """
    plain = fold(text).translate(_LOOK_ALIKES).replace("l", "i")
    return "".join(c for c in plain if c.isalpha())
