"""Links in a draft: to the business's own hosts and those that it allowed; others are taken out."""

import re
from collections.abc import Collection

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible
from app.assistant.profiles import host_of

# What phones make clickable without a scheme: names under the usual top-level domains.
_TLDS = (
    "com|net|org|info|biz|io|co|app|dev|ai|me|ly|gl|to|tv|cc|ws|xyz|top|site|online|store|shop|club"
    "|vip|live|link|click|page|pro|mobi|name|icu|work|space|website|tech|cloud|money|bank|pay|finance"
    "|example|test|eu|uk|de|fr|es|pt|it|nl|be|ch|at|ie|pl|cz|se|no|dk|fi|gr|ro|hu|bg|hr|ua|ru|by|tr"
    "|br|ar|mx|cl|pe|ec|uy|py|bo|ve|us|ca|au|nz|in|id|my|sg|th|vn|ph|cn|hk|tw|jp|kr|za|ng|ke|eg|ma"
    "|tn|dz|sa|ae|qa|kw|bh|om|jo|lb|iq|ir|il|pk|bd|lk|gg|su|zip|mov|rs|si|sk|lt|lv|ee|is|lu|mt|cy"
)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_SCHEME = r"(?:h(?:tt|xx)ps?|ftp|file|javascript|data|tel|sms|intent|upi|bitcoin|whatsapp|tg)"
_LINK = re.compile(
    rf"(?:{_SCHEME}\s?:\s?/{{0,3}}\S+"
    rf"|(?<![\w@.-])(?:www\.)?(?:{_LABEL}\.)+(?:{_TLDS}|xn--[\w-]+)(?![\w@-])(?::\d+)?(?:[/?#]\S*)?"
    rf"|(?<![\w@.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+)?/\S*)",
    re.IGNORECASE,
)
_DOTS = re.compile(
    r"\s?(?:\[\s?\.\s?\]|\(\s?\.\s?\)|\[dot\]|\(dot\)|\{dot\}|\s+dot\s+|[。．｡․])\s?", re.IGNORECASE
)
_TRAILING = ".,;:!?)]}»”’'\"*_~"
_SPACES = re.compile(r"[ \t]{2,}")


def links_in(text: str) -> list[str]:
    """Return what a phone would make clickable, and what tries to look like it."""
    plain = _DOTS.sub(".", visible(text))
    return [match[0].rstrip(_TRAILING) for match in _LINK.finditer(plain)]


def is_allowed(link: str, hosts: Collection[str]) -> bool:
    """Tell whether a link leads to an allowed host or a name below it."""
    plain = link.casefold()
    if ":" in plain.partition("/")[0] and not plain.startswith(("http://", "https://")):
        return False
    if "@" in plain.partition("://")[2].partition("/")[0] or "\\" in plain:
        return False
    host = host_of(plain)
    return host is not None and any(host == h or host.endswith(f".{h}") for h in hosts)


def remove_links(draft: str, *, hosts: Collection[str]) -> tuple[str, list[Finding]]:
    """Return a draft without foreign links.

    Where a link is only recognised after look-alikes are undone, there is nothing to cut out
    cleanly: then the whole draft is blocked.
    """
    foreign = [link for link in links_in(draft) if not is_allowed(link, hosts)]
    if not foreign:
        return draft, []
    text = draft
    for link in sorted(foreign, key=len, reverse=True):
        if link not in text:
            return draft, [Finding("link", "disguised", Ruling.BLOCK)]
        text = text.replace(link, "")
    if [link for link in links_in(text) if not is_allowed(link, hosts)]:
        return draft, [Finding("link", "nested", Ruling.BLOCK)]
    text = _SPACES.sub(" ", text).strip()
    if sum(c.isalpha() for c in text) < 20:  # noqa: PLR2004 - the link was the message
        return draft, [Finding("link", "foreign", Ruling.BLOCK)]
    return text, [Finding("link", "foreign", Ruling.REMOVE)]
