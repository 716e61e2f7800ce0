"""What an e-mail says: one letter, rendered to a plain text part and an HTML part alike."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.errors import RefusedError
from app.core.mail.layout import html_page, plain_text

SUBJECT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing to do: the label of a button, and where it leads (http or https)."""

    label: str
    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise RefusedError("A letter's action needs an absolute http or https address.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One e-mail. All texts are plain; the layout escapes them.

    Attributes:
        subject: one line; line breaks become blanks.
        preheader: what mail programs show beside the subject.
        paragraphs: the text, the salutation included.
        facts: pairs of label and value, shown as a small table.
        code: a one-time code, shown large.
        action: the button.
        closing: lines below the button.
        footnote: why this mail came; small print.
        locale: BCP 47, the language of the text.
    """

    subject: str
    preheader: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    code: str = ""
    action: Action | None = None
    closing: tuple[str, ...] = ()
    footnote: str = ""
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as it is sent."""

    subject: str
    text: str
    html: str


def render(letter: Letter) -> Rendered:
    """Render a letter with the base layout; RefusedError when it has no subject or text."""
    subject = " ".join(letter.subject.split())[:SUBJECT_CHARS_MAX]
    if not subject or not letter.paragraphs:
        raise RefusedError("A letter needs a subject and at least one paragraph.")
    action = (letter.action.label, letter.action.url) if letter.action else None
    return Rendered(
        subject=subject,
        text=plain_text(
            letter.paragraphs,
            facts=letter.facts,
            code=letter.code,
            action=action,
            closing=letter.closing,
            footnote=letter.footnote,
        ),
        html=html_page(
            letter.paragraphs,
            subject=subject,
            preheader=letter.preheader,
            facts=letter.facts,
            code=letter.code,
            action=action,
            closing=letter.closing,
            footnote=letter.footnote,
            locale=letter.locale,
        ),
    )
