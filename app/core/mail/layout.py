"""The base layout of all e-mails: one column, a card, light and dark, readable without images.

Mail programs keep little of CSS: what matters stands in ``style`` attributes, the style sheet
only adds the dark scheme and narrow screens. Nothing is loaded from elsewhere.
"""

import textwrap
from collections.abc import Sequence
from html import escape

BRAND = "Parley"
TEXT_COLUMNS = 76
Facts = Sequence[tuple[str, str]]

_FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
# Keeps mail programs from filling the preview up with the letter's first words.
_FILLER = "&#8199;&#847; " * 40
_STYLES = """
:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:0;background:#eef3f0;-webkit-text-size-adjust:100%}
a{color:#0b6e4f}
@media (max-width:480px){.card{padding:24px 20px!important;border-radius:0!important}
.page{padding:16px 0!important}.side{padding-left:20px!important;padding-right:20px!important}
.button a{display:block!important}}
@media (prefers-color-scheme:dark){
body,.page{background:#101714!important}.card{background:#1a2420!important;border-color:#2c3a34!important}
.ink{color:#eaf1ed!important}.faint{color:#9db0a6!important}.rule{border-color:#2c3a34!important}
.button a{background:#35c08e!important;color:#06251a!important}
.code{background:#0f1815!important;color:#eaf1ed!important}a{color:#6fd8b0}}
"""


def plain_text(
    paragraphs: Sequence[str],
    *,
    facts: Facts,
    code: str,
    action: tuple[str, str] | None,
    closing: Sequence[str],
    footnote: str,
) -> str:
    """The text part; addresses stand on lines of their own, so that nothing breaks them."""
    blocks = [_wrapped(p) for p in paragraphs]
    if facts:
        blocks.append("\n".join(f"{label}: {value}" for label, value in facts))
    if code:
        blocks.append(f"    {code}")
    if action:
        blocks.append(f"{action[0]}:\n{action[1]}")
    if closing:
        blocks.append("\n".join(_wrapped(line) for line in closing))
    blocks.append(f"-- \n{BRAND}" + (f"\n{_wrapped(footnote)}" if footnote else ""))
    return "\n\n".join(blocks) + "\n"


def html_page(
    paragraphs: Sequence[str],
    *,
    subject: str,
    preheader: str,
    facts: Facts,
    code: str,
    action: tuple[str, str] | None,
    closing: Sequence[str],
    footnote: str,
    locale: str,
) -> str:
    """The HTML part: a whole document of some 5 kB."""
    body = "".join(
        [
            *(_paragraph(p) for p in paragraphs),
            _fact_table(facts) if facts else "",
            _code(code) if code else "",
            _button(*action) if action else "",
            *(_paragraph(line) for line in closing),
        ]
    )
    return f"""<!doctype html>
<html lang="{escape(locale)}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{escape(subject)}</title><style>{_STYLES}</style></head>
<body>
<div style="display:none;max-height:0;overflow:hidden">{escape(preheader)}{_FILLER}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0"
 style="background:#eef3f0;padding:32px 12px;font-family:{_FONT}"><tr><td align="center">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px">
<tr><td class="ink side" style="padding:4px 4px 16px;color:#12211a;font-size:18px;font-weight:700">
<span style="color:#16996c">&#9679;</span> {BRAND}</td></tr>
<tr><td class="card"
 style="background:#ffffff;border:1px solid #dbe5df;border-radius:14px;padding:32px">
{body}</td></tr>
<tr><td class="faint side" style="padding:16px 4px;color:#5b6d64;font-size:13px;line-height:1.5">
{escape(footnote)}</td></tr>
</table></td></tr></table></body></html>
"""


def _wrapped(text: str) -> str:
    return textwrap.fill(text, TEXT_COLUMNS, break_long_words=False, break_on_hyphens=False)


def _paragraph(text: str) -> str:
    return (
        '<p class="ink" style="margin:0 0 16px;color:#12211a;font-size:16px;line-height:1.55">'
        f"{escape(text)}</p>\n"
    )


def _fact_table(facts: Facts) -> str:
    rows = "".join(
        '<tr><td class="faint rule" style="padding:9px 12px 9px 0;border-top:1px solid #dbe5df;'
        f'color:#5b6d64;font-size:15px;vertical-align:top">{escape(label)}</td>'
        '<td class="ink rule" align="right" style="padding:9px 0;border-top:1px solid #dbe5df;'
        f'color:#12211a;font-size:15px;font-weight:600">{escape(value)}</td></tr>'
        for label, value in facts
    )
    return (
        '<table width="100%" cellpadding="0" cellspacing="0" style="margin:8px 0 24px;'
        f'border-collapse:collapse">{rows}</table>\n'
    )


def _code(code: str) -> str:
    return (
        '<p class="code" style="margin:8px 0 24px;padding:16px;border-radius:10px;'
        "background:#eef3f0;color:#12211a;font:600 28px/1.2 ui-monospace,Menlo,Consolas,monospace;"
        f'letter-spacing:4px;text-align:center">{escape(code)}</p>\n'
    )


def _button(label: str, url: str) -> str:
    return (
        '<p class="button" style="margin:8px 0 24px"><a href="'
        f'{escape(url)}" style="display:inline-block;padding:13px 24px;border-radius:10px;'
        "background:#0b6e4f;color:#ffffff;font-size:16px;font-weight:600;text-decoration:none;"
        f'text-align:center">{escape(label)}</a></p>\n'
    )
