"""Links in a draft: to the business's own hosts and those that it allowed; others are taken out."""

import re
from collections.abc import Collection

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible
from app.assistant.profiles import host_of

# What phones make clickable without a scheme: names under the usual top-level domains.
TLDS = (
    "com|net|org|info|biz|io|co|app|dev|ai|me|ly|gl|to|tv|cc|ws|xyz|top|site|online|store|shop|club"
    "|vip|live|link|click|page|pro|mobi|name|icu|work|space|website|tech|cloud|money|bank|pay|finance"
    "|example|test|eu|uk|de|fr|es|pt|it|nl|be|ch|at|ie|pl|cz|se|no|dk|fi|gr|ro|hu|bg|hr|ua|ru|by|tr"
    "|br|ar|mx|cl|pe|ec|uy|py|bo|ve|us|ca|au|nz|in|id|my|sg|th|vn|ph|cn|hk|tw|jp|kr|za|ng|ke|eg|ma"
    "|tn|dz|sa|ae|qa|kw|bh|om|jo|lb|iq|ir|il|pk|bd|lk|gg|su|zip|mov|rs|si|sk|lt|lv|ee|is|lu|mt|cy"
    "|academy|agency|art|asia|auction|autos|band|bar|best|bet|bid|bio|blog|boutique|business|cafe|cam"
    "|capital|care|cards|casa|cash|casino|cat|center|chat|cheap|church|city|claims|clinic|clothing"
    "|coach|codes|coffee|community|company|computer|consulting|contact|coupons|credit|cyou|date|deals"
    "|delivery|dental|desi|digital|direct|directory|discount|doctor|download|education|email|energy"
    "|engineering|estate|events|exchange|expert|express|fashion|financial|fit|fitness|florist|fun"
    "|fund|furniture|futbol|fyi|gallery|game|games|gay|gift|gifts|gives|global|gold|group|guide|guru"
    "|health|healthcare|help|homes|host|hosting|house|immo|ink|institute|insure|international|jetzt"
    "|jobs|kim|kitchen|land|law|lawyer|legal|life|lighting|limited|loan|loans|lol|love|ltd|market"
    "|marketing|mba|media|memorial|mom|monster|movie|network|news|ninja|observer|one|ooo|parts|party"
    "|pet|photo|photography|photos|pics|pictures|pizza|plus|poker|porn|press|promo|properties|pub"
    "|quest|racing|realty|recipes|red|rehab|reise|reisen|rent|rentals|repair|report|rest|restaurant"
    "|review|reviews|rip|rocks|run|sale|salon|sbs|school|science|security|services|sexy|show|singles"
    "|skin|soccer|social|software|solar|solutions|stream|studio|style|support|surf|systems|tax|taxi"
    "|team|tel|tickets|tips|tires|tools|tours|town|toys|trade|trading|training|travel|tube|university"
    "|uno|ventures|vet|video|villas|vin|vision|voyage|wang|watch|webcam|wedding|wiki|win|wine|works"
    "|world|wtf|yoga|zone|рф|рус|онлайн|сайт|орг|ком|дети|москва|укр|бел|中国|中國|公司|网络|网址|在线"
    "|中文网|香港|台湾|商城|닷컴|닷넷|한국|コム|みんな|भारत|موقع|شبكة|امارات|السعودية|مصر|المغرب|قطر"
)
_WELL_KNOWN = (
    "com|net|org|info|biz|io|xyz|app|shop|online|site|store|link|top|click|live|ru|cn|me|ly"
)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_SCHEME = (
    r"(?:(?:h(?:tt|xx)ps?|ftp|file|javascript|data|tel|sms|intent|upi|bitcoin|whatsapp|tg|sip|sips|geo"
    r"|facetime|skype|viber|market|callto|xmpp)\s?:|[a-z][a-z0-9+.-]{1,20}://)"
)
_OCTETS = r"(?!\d\d(?:\.\d\d){3}(?!\d))\d{1,3}(?:\.\d{1,3}){3}"
_LINK = re.compile(
    rf"(?:{_SCHEME}\s?/{{0,3}}\S+"
    rf"|(?<![\w@.-])(?:www\.)?(?:{_LABEL}\.)+(?:{TLDS}|xn--[\w-]+)(?![\w@-])(?::\d+)?(?:[/?#]\S*)?"
    rf"|(?<![\w@.-])(?:{_LABEL}\.)+[^\W\d_]{{2,}}(?::\d+|/)\S*"
    rf"|(?<![\w@.])//\d{{6,10}}(?!\d)\S*"
    rf"|(?<![\w@.]){_OCTETS}(?![\w.])(?::\d+)?(?:/\S*)?)",
    re.IGNORECASE,
)
_OPEN, _CLOSE = r"[\[({<*_|~'\"-]", r"[\])}>*_|~'\"-]"
_DOT_WORD = r"(?:dot|punto|ponto|punkt|point|titik|nokta|kropka|точка|نقطة|点|點)"
# A dot in brackets, between signs, as a word, as a look-alike, or with a blank in front of it.
_DOTS = re.compile(
    rf"\s{{0,2}}{_OPEN}{{1,4}}\s{{0,2}}(?:[.。．｡․·‧•]|{_DOT_WORD})\s{{0,2}}{_CLOSE}{{1,4}}\s{{0,2}}"
    rf"|\s{{1,2}}dot\s{{1,2}}|\s{{1,2}}{_DOT_WORD}\s{{1,2}}(?=(?:{_WELL_KNOWN})(?!\w))"
    rf"|\s?[。．｡․]\s?|(?<=\w)[·‧•⋅∙](?=\w)|(?<=\w)\s{{1,2}}\.\s?(?=\w)"
    rf"|(?<=\w),(?=(?:com|net|org)(?!\w))",
    re.IGNORECASE,
)
# A phone does not join these, a reader does: shorteners that are known by their first half.
_SHORTENED = re.compile(
    r"\b(bit|wa|t|goo|tinyurl|cutt|rebrand|is|ow|buff|lnkd)\s(ly|me|gl|com|gd|in)\s?(?:/|slash\b)\s?",
    re.IGNORECASE,
)
# Long runs are made short first, so that every pattern above takes time in step with the text.
_LONG_RUN = re.compile(r"(\s\s)\s+|([\[\](){}<>*_|~'\"-]{4})[\[\](){}<>*_|~'\"-]+")
_SPELLED = re.compile(r"(?<!\S)\S(?: \S){5,}(?!\S)")
_TRAILING = ".,;:!?)]}»”’'\"*_~>"
_SPACES = re.compile(r"[ \t]{2,}")


def links_in(text: str) -> list[str]:
    """Return what a phone would make clickable, and what tries to look like it."""
    plain = joined_up(text)
    return [match[0].rstrip(_TRAILING) for match in _LINK.finditer(plain)]


def joined_up(text: str) -> str:
    """Return a text with disguised dots as dots, and spelled-out words written together."""
    short = _LONG_RUN.sub(r"\1\2", visible(text))
    plain = _SPELLED.sub(lambda match: match[0].replace(" ", ""), short)
    return _SHORTENED.sub(r"\1.\2/", _DOTS.sub(".", plain))


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
