"""What leaked passwords are made of: the most used ones, and common words and names.

The lists come with the package ``zxcvbn``: 30 000 passwords of public leaks by rank, and words
of the English Wikipedia, of subtitles, and names. Its estimator is not used: it tries every
reading of disguised letters, which takes seconds for a password made to be slow.
"""

from functools import cache

_WORD_CHARS_MIN = 4


@cache
def passwords() -> frozenset[str]:
    """Return the 30 000 most used passwords of public leaks, in lower case.

    The first call takes a tenth of a second.
    """
    return frozenset(_lists()["passwords"])


@cache
def words() -> frozenset[str]:
    """Return common words and names of at least four letters, in lower case."""
    return frozenset(
        word
        for name, ranked in _lists().items()
        if name != "passwords"
        for word in ranked
        if len(word) >= _WORD_CHARS_MIN
    )


def _lists() -> dict[str, list[str]]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    lists: dict[str, list[str]] = FREQUENCY_LISTS
    return lists
