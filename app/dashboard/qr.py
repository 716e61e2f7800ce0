"""QR codes as pictures: inline on a page, as an SVG file, as a PDF to print."""

import io

import segno
from markupsafe import Markup

QUIET_MODULES = 4
_POINTS_A_MODULE = 10


def inline_svg(content: str, label: str) -> Markup:
    """Return a code as an SVG element that takes its size from around it; dark on nothing."""
    code = segno.make(content, error="l", boost_error=False, micro=False)
    drawn = code.svg_inline(
        border=QUIET_MODULES, omitsize=True, svgclass="qr-code", lineclass=None, title=label
    )
    return Markup(drawn.replace("<svg ", '<svg role="img" ', 1))  # noqa: S704 - our own drawing


def svg_file(content: str) -> bytes:
    """Return a code as an SVG file, dark on white, for printers and design programs."""
    return _file(content, "svg", light="white", scale=10)


def pdf_file(content: str) -> bytes:
    """Return a code as a one-page PDF that is as large as the code."""
    return _file(content, "pdf", scale=_POINTS_A_MODULE)


def _file(content: str, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    code = segno.make(content, error="q", micro=False)
    code.save(out, kind=kind, border=QUIET_MODULES, **how)
    return out.getvalue()
