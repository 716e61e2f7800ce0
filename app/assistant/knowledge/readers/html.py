"""Reading HTML: the main part's headings, paragraphs, lists and tables; no menus, no scripts."""

from typing import Any

from selectolax.lexbor import LexborHTMLParser

from app.assistant.knowledge.documents import CHARS_MAX, Block, Document, row_text, squeezed

_DROPPED = (
    "script, style, noscript, template, svg, iframe, object, canvas, nav, footer, form, button,"
    " select, dialog, [hidden], [aria-hidden=true], [role=navigation], [role=search]"
)
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "summary": 6, "dt": 6}
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl",
        "figcaption", "figure", "header", "hr", "li", "main", "ol", "p", "pre", "section", "td",
        "th", "tr", "ul", "br",
    }
)  # fmt: skip
_LINKS_MAX = 2_000
_MAIN_SHARE_MIN = 0.3


def read_html(body: bytes) -> Document:
    """Read a page in whatever encoding it declares."""
    tree = LexborHTMLParser(body)
    title = _first_text(tree, "title")
    robots = " ".join(
        str(node.attributes.get("content") or "").lower()
        for node in tree.css('meta[name="robots" i]')
    )
    links = _links(tree)
    for node in tree.css(_DROPPED):
        node.decompose()
    root = _main_part(tree)
    blocks = _blocks(root) if root is not None else []
    return Document(
        title=title or next((b.text for b in blocks if b.level == 1), ""),
        blocks=blocks,
        links=links,
        follow="nofollow" not in robots,
        index="noindex" not in robots,
    )


def _first_text(tree: Any, selector: str) -> str:
    node = tree.css_first(selector)
    return squeezed(node.text()) if node is not None else ""


def _links(tree: Any) -> list[str]:
    found: dict[str, None] = {}
    for node in tree.css("a[href]"):
        if "nofollow" not in (node.attributes.get("rel") or ""):
            found[(node.attributes.get("href") or "").strip()] = None
    return list(found)[:_LINKS_MAX]


def _main_part(tree: Any) -> Any:
    """The page's main element, unless most of the text stands outside of it."""
    body = tree.body
    if body is None:
        return None
    whole = len(body.text())
    for selector in ("main", "[role=main]", "article"):
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text()) >= _MAIN_SHARE_MIN * whole:
            return found[0]
    return body


def _blocks(root: Any) -> list[Block]:
    walk = _Walk()
    walk.over(root)
    return walk.found


class _Walk:
    """Walks a tree without recursion (pages nest as deep as they like), gathering lines."""

    def __init__(self) -> None:
        self.found: list[Block] = []
        self._line: list[str] = []
        self._room = CHARS_MAX
        self._depth = 0

    def over(self, root: Any) -> None:
        """Gather what stands below an element."""
        node = root.child
        while node is not None and self._room > 0:
            inner = self._enter(node)
            self._depth += inner is not None
            node = inner if inner is not None else self._next(node)
        self._end_line()

    def _enter(self, node: Any) -> Any:
        """Take a node's own text; returns its first child when that is to be walked too."""
        tag = node.tag
        if tag == "-text":
            self._line.append(node.text(deep=False) or "")
            return None
        if tag in _HEADINGS:
            self._end_line()
            self._line.append(node.text())
            self._end_line(_HEADINGS[tag])
            return None
        if tag == "table":
            self._end_line()
            self.found.extend(Block(text) for text in _rows(node))
            return None
        if tag in _BLOCKS:
            self._end_line()
        elif tag == "img":
            self._line.append(f" {node.attributes.get('alt') or ''} ")
        return node.child

    def _next(self, node: Any) -> Any:
        """The node after this one and all within it; leaving a block ends its line.

        The depth tells the root, not a comparison: nodes are compared by their whole HTML.
        """
        while True:
            if node.tag in _BLOCKS:
                self._end_line()
            if node.next is not None:
                return node.next
            if self._depth == 0:
                return None
            self._depth -= 1
            node = node.parent

    def _end_line(self, level: int = 0) -> None:
        text = squeezed("".join(self._line))
        self._line.clear()
        if text and self._room > 0:
            self.found.append(Block(text[: self._room], level))
            self._room -= len(text)


def _rows(table: Any) -> list[str]:
    header: list[str] = []
    texts: list[str] = []
    for row in table.css("tr"):
        cells = [squeezed(cell.text(separator=" ")) for cell in row.css("th, td")]
        heads = len(row.css("th"))
        if not header and heads > 1 and heads == len(cells):
            header = cells
        elif any(cells):
            texts.append(row_text(header, cells))
    return texts
