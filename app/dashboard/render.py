"""Templates to answers: one Jinja environment a language, built with the first page."""

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from markupsafe import Markup, escape

from app.core import locales
from app.dashboard import static_files
from app.dashboard.flashes import flash_text
from app.dashboard.navigation import navigation
from app.dashboard.visit import THEMES, Visit
from app.dashboard.words import words

TEMPLATES = Path(__file__).parent / "templates"
HTML = "text/html"


def page(
    visit: Visit,
    template: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **view: Any,
) -> Response[bytes]:
    """Answer with a rendered template; pages are never kept by caches."""
    content = html(visit, template, **view)
    answer = Response(
        content.encode(),
        status_code=status,
        media_type=HTML,
        headers={"Cache-Control": "no-store", "Vary": "Cookie, HX-Request", **(headers or {})},
    )
    if visit.flash:
        answer.delete_cookie("flash")
    return answer


def partial(
    visit: Visit, template: str, block: str, *, status: int = 200, **view: Any
) -> Response[bytes]:
    """Answer htmx with one block of a template, and everyone else with the whole of it."""
    if not visit.partial:
        return page(visit, template, status=status, **view)
    loaded = environment(visit.language).get_template(template)
    context = loaded.new_context(_context(visit, view))
    content = "".join(loaded.blocks[block](context))
    return Response(
        content.encode(), status_code=status, media_type=HTML, headers={"Cache-Control": "no-store"}
    )


def html(visit: Visit, template: str, **view: Any) -> str:
    """Render a template as text."""
    return environment(visit.language).get_template(template).render(_context(visit, view))


def _context(visit: Visit, view: dict[str, Any]) -> dict[str, Any]:
    return {
        "visit": visit,
        "formats": visit.formats,
        "person": visit.person,
        "navigation": navigation(visit),
        "files": static_files.manifest(),
        "toast": flash_text(visit),
        **words(visit),
        **view,
        # A field without an error has the empty sentence.
        "errors": defaultdict(str, view.get("errors", {})),
    }


@cache
def environment(language: str) -> Environment:
    """Return a language's environment. Templates are read once a process."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    install: Any = made
    install.install_gettext_translations(locales.translations(language), newstyle=True)
    made.globals.update(icon=icon, languages=locales.NAMES, themes=THEMES)
    return made


def icon(name: str, label: str = "", *, hidden: bool = False) -> Markup:
    """Return an icon of the sprite; without a label it is hidden from screen readers.

    Args:
        name: one of ``assets/icons.json``.
        label: what it says where no words stand beside it.
        hidden: made visible by a script later.
    """
    told = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    told += " hidden" if hidden else ""
    reference = f"{static_files.manifest().icons}#{escape(name)}"
    return Markup(f'<svg class="icon" {told}><use href="{reference}"/></svg>')  # noqa: S704
