"""Which passwords are too easy to guess: judged here, without asking anyone outside.

Refused is what stands among the 30 000 most used passwords of public leaks, and what the rest
of those lists is made of: one common word or name with digits behind it, a walk over the
keyboard, one thing repeated, the service's or one's own name. The rules undo the usual disguises
(capitals, accents, ``@`` for ``a``, digits at the ends) and look at what is left.
"""

import re
import unicodedata
from collections.abc import Iterable

from app.core.errors import RefusedError
from app.core.passwords import CHARS_MAX, CHARS_MIN
from tenants import leaked_passwords

_DISGUISES = str.maketrans("@4831!05$7+", "aaebiiosstt")
_ROWS = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "abcdefghijklmnopqrstuvwxyz",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol",
    "1q2w3e4r5t6y7u8i9o0p",
)
_RUN_CHARS_MIN = 4
_DISTINCT_MIN = 5
_OWN_PART_CHARS_MIN = 4
_DECORATION_CHARS_MAX = 4
# What people choose most where the lists, which are English, know less.
_COMMON = frozenset(
    """
    password passwort passw0rd motdepasse contrasena senha parola wachtwoord haslo salasana
    letmein welcome willkommen bienvenue bienvenido admin administrator root user login guest
    access secret geheim master default changeme change test testing tester temp temporary
    service support office company business manager owner hello hallo bonjour hola ciao
    iloveyou loveyou lovely love sweetheart darling princess prinzessin angel baby babygirl
    sunshine sonnenschein rainbow flower butterfly chocolate schatz mausi hasi liebe
    dragon monkey tiger lion panther eagle falcon shadow phoenix wolf bear horse pferd dog cat
    football fussball soccer baseball basketball hockey tennis golf liverpool arsenal chelsea
    barcelona realmadrid juventus bayern dortmund schalke yankees cowboys lakers steelers
    superman batman spiderman pokemon pikachu naruto starwars skywalker matrix hunter ranger
    killer ninja samurai warrior legend hero magic wizard merlin gandalf hogwarts
    michael jennifer jessica ashley amanda daniel andrew joshua matthew robert thomas william
    charlie jordan harley maggie buster pepper ginger cookie cheese banana orange apple coffee
    summer sommer winter spring fruehling autumn herbst january february march april june july
    august september october november december monday tuesday wednesday thursday friday
    saturday sunday today tomorrow computer internet windows microsoft google facebook
    instagram whatsapp samsung iphone android linux mercedes ferrari porsche corvette mustang
    freedom america germany deutschland berlin london paris madrid roma mexico brasil india
    pakistan england canada australia trustno whatever nothing something anything everything
    qwerty qwertz azerty asdfgh zxcvbn yxcvbn asdf qazwsx blink jesus christ blessed faith
    heaven money geld dollar bitcoin success victory winner forever family familie mother
    father mutter vater brother sister friend friends freund bestfriend parley frontdesk
    contrasena contrasenia clave acceso secreto teamo tequiero miamor princesa corazon estrella
    futbol colombia argentina chile peru venezuela ecuador espana navidad verano invierno dios
    contrasenha senhas acesso segredo teamo meuamor princesa coracao estrela futebol flamengo
    corinthians palmeiras gremio vasco benfica sporting portugal brasil natal verao inverno deus
    felicidade amizade familia amigos negocio empresa tienda restaurante loja padaria panaderia
    """.split()  # noqa: SIM905 - a paragraph of words reads better than a list
)


def require_acceptable(password: str, *, own: Iterable[str] = ()) -> None:
    """Raise RefusedError, saying what to do, for a password that is too short, long or easy.

    Args:
        password: as typed; its composition is nobody's business (no forced signs or digits).
        own: what an attacker knows of the person: e-mail, name, the business's name.
    """
    if len(password) < CHARS_MIN:
        raise RefusedError(
            "The password needs at least %(least)s characters; three or four words are best.",
            least=CHARS_MIN,
        )
    if len(password) > CHARS_MAX:
        raise RefusedError("The password may have at most %(most)s characters.", most=CHARS_MAX)
    if len(set(password.lower())) < _DISTINCT_MIN or _is_repetition(password.lower()):
        raise RefusedError("The password repeats itself; use several different words.")
    if _is_walk(password.lower()):
        raise RefusedError("The password is a row of keys or letters; use several words.")
    if _is_common(password):
        raise RefusedError("This password is among the most used ones; use several words.")
    if _is_one_word(password):
        raise RefusedError(
            "The password is one common word or name with something added; use three or four"
            " words that have nothing to do with each other."
        )
    if _holds_own(password, own):
        raise RefusedError(
            "The password holds your e-mail address or name; use words that nobody connects"
            " with you."
        )


def _plain(password: str) -> tuple[str, ...]:
    """A password without its disguises: digits read as letters, or only cut from the ends."""
    lower = _without_accents(password.lower())
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lower)
    return tuple(
        re.sub(r"[\W_]+", "", reading)
        for reading in (lower, bare, bare.translate(_DISGUISES), lower.translate(_DISGUISES))
    )


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _is_common(password: str) -> bool:
    leaked = leaked_passwords.passwords()
    readings = _plain(password)
    return password.lower() in leaked or any(
        reading in leaked or _made_of_common(reading) for reading in readings
    )


def _is_one_word(password: str) -> bool:
    """One word or name of the lists, with at most four signs around it."""
    lower = _without_accents(password.lower())
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lower)
    return len(lower) - len(bare) <= _DECORATION_CHARS_MAX and (
        bare in leaked_passwords.words() or bare in leaked_passwords.passwords()
    )


def _made_of_common(reading: str) -> bool:
    """One common word, alone, twice, or with digits behind it."""
    word = reading.rstrip("0123456789") or reading
    half = len(word) // 2
    return word in _COMMON or (word[:half] == word[half:] and word[:half] in _COMMON)


def _is_repetition(lower: str) -> bool:
    """One piece of up to half the length, again and again: ``abcabcabc``."""
    return any(
        lower == (lower[:size] * (len(lower) // size + 1))[: len(lower)]
        for size in range(1, len(lower) // 2 + 1)
    )


def _is_walk(lower: str) -> bool:
    """Nothing but runs over the keyboard or the alphabet, forwards or backwards."""
    place, length = 0, len(lower)
    while place < length:
        run = _run_at(lower, place)
        if run < _RUN_CHARS_MIN:
            return lower[place:].strip("0123456789!?.") == "" and place > 0
        place += run
    return True


def _run_at(lower: str, place: int) -> int:
    rows = (*_ROWS, *(row[::-1] for row in _ROWS))
    longest = 1
    for size in range(2, len(lower) - place + 1):
        if not any(lower[place : place + size] in row for row in rows):
            break
        longest = size
    return longest


def _holds_own(password: str, own: Iterable[str]) -> bool:
    readings = _plain(password)
    names = [_without_accents(value.lower()).partition("@")[0] for value in own]
    parts = {
        part
        for name in names
        for part in re.split(r"[\W_]+", name)
        if len(part) >= _OWN_PART_CHARS_MIN
    }
    parts |= {re.sub(r"[\W_]+", "", name) for name in names}
    # A long passphrase may mention the own name among other words.
    return any(
        len(part) >= _OWN_PART_CHARS_MIN and part in reading and len(reading) < 2 * len(part) + 6
        for part in parts
        for reading in readings
    )
