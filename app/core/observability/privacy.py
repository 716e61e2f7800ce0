"""The last wall before logs and Sentry: personal data masked, exception texts withheld.

The first wall is that nobody writes a message text, a phone number or a secret into a log
line. These functions hold when somebody does.
"""

import re
import traceback
from collections.abc import Iterator

from app.core.errors import ConfigurationError, ParleyError, PrivilegedRoleError

WITHHELD = "[withheld]"

_CHAIN_MAX = 5
_FRAMES_MAX = 40
_TEXT_CHARS_MAX = 300

# One pass: what stands under `keep` is recognised first and left alone, the rest is masked.
# UUIDs (also behind req_) and hex ids below 48 digits hold digit runs that look like phones.
# Every repetition that may fail late is bounded, so a long hostile text costs linear time.
_PRIVATE = re.compile(
    r"""
    (?P<keep>
        (?<![0-9A-Za-z])
        (?:
            [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}
          | (?=[0-9]*[a-fA-F]) [0-9a-fA-F]{16,47}
          | \d{4}-\d\d-\d\d [T ] \d\d:\d\d:\d\d (?:[.,]\d{1,9})?
        )
        (?![0-9A-Za-z])
    )
  | (?P<bearer> \b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,} )
  | (?P<key>
        (?<![0-9A-Za-z])
        (?: pk_[A-Za-z0-9_-]{6,} | [sr]k[-_][A-Za-z0-9_-]{6,} | whsec_[A-Za-z0-9+/=_-]{6,}
          | re_[A-Za-z0-9_]{16,} | ch_[0-9a-f]{32} )
      | (?<![0-9A-Fa-f]) [0-9A-Fa-f]{48,} (?![0-9A-Fa-f])
    )
  | (?P<url_login> (?<=://) [^\s/@:]{0,64} : [^\s/@]{1,256} (?=@) )
  | (?P<chat>
        [0-9]{1,24} (?: [:_-][0-9]{1,24} ){0,2}
        @(?:c\.us|s\.whatsapp\.net|lid|g\.us|newsletter)
    )
  | (?P<email> [A-Za-z0-9._%+'-]{1,64} @ [A-Za-z0-9-]{1,63} (?: \.[A-Za-z0-9-]{1,63} ){1,8} )
  | (?P<phone> (?<!\d) \d{8,} (?!\d) | \+ \d [\d\s().-]{5,18} \d )
    """,
    re.VERBOSE | re.IGNORECASE,
)

# Texts that the interpreter or we ourselves composed of names, never of data.
_SAFE_TEXT = (
    ConfigurationError,
    PrivilegedRoleError,
    ImportError,
    NameError,
    AttributeError,
    ZeroDivisionError,
    RecursionError,
    NotImplementedError,
)


def mask(text: str) -> str:
    """Replace phone numbers, chat ids, e-mail addresses, keys and bearer strings.

    UUIDs, request ids, ISO times and shorter hex ids stay as they are. The replacement names
    the kind, ``[phone]``, so that a reader knows what stood there.
    """
    return _PRIVATE.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup
    return match.group() if kind == "keep" else f"[{kind}]"


def describe(error: BaseException) -> str:
    """Return what may be told of an exception: facts without its text, which quotes data.

    Drivers and parsers quote the value at fault (a customer's message) in their texts, so only
    the texts of a few kinds are given, masked. For the rest: our error code, the SQLSTATE, the
    errno or the HTTP status, where there is one.
    """
    if isinstance(error, _SAFE_TEXT):
        return mask(str(error))[:_TEXT_CHARS_MAX]
    facts = [WITHHELD]
    if isinstance(error, ParleyError):
        facts.append(f"code={error.code}")
    for name in ("errno", "status_code", "sqlstate"):
        value = getattr(error, name, None)
        if isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"\w{5}", value)):
            facts.append(f"{name}={value}")
    return " ".join(facts)


def type_name(error: BaseException) -> str:
    """Return the exception's class with its module, except for built-in ones."""
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def stack(error: BaseException) -> str:
    """Return a traceback with its chain, oldest cause first: no variables, no exception texts."""
    parts: list[str] = []
    for link in reversed(list(chain(error))):
        frames = traceback.extract_tb(link.__traceback__)[-_FRAMES_MAX:]
        lines = [f'File "{f.filename}", line {f.lineno}, in {f.name}' for f in frames]
        parts.append("\n".join([*lines, f"{type_name(link)}: {describe(link)}"]))
    return "\n--\n".join(parts)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what it contains and what caused it: at most five, nearest first."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _CHAIN_MAX:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        if link.__cause__ is not None:
            waiting.append(link.__cause__)
        elif link.__context__ is not None and not link.__suppress_context__:
            waiting.append(link.__context__)
