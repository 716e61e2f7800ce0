"""What the pages are made of: catalogues, icons, links, and no inline script or style."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from litestar import Litestar

from app.core import locales
from app.core.errors import ConfigurationError
from app.dashboard import static_files
from app.dashboard.entrance import Entrance
from app.dashboard.render import TEMPLATES

DASHBOARD = TEMPLATES.parent
ROOT = DASHBOARD.parents[1]
PLACES = re.compile(r"%\(\w+\)[sd]|%%")
#: Spanish says "tú" and Portuguese "você", as in Latin America: what only others would write.
ELSEWHERE = {
    "es": re.compile(
        r"\b(usted(es)?|vosotros|vuestr\w+|\w+(áis|éis)|ordenador|costes?)\b", re.IGNORECASE
    ),
    "pt": re.compile(
        r"\b(contactos?|equipas?|ficheiros?|utilizador\w*|registad\w+|subscriç\w+|faturação"
        r"|telemóve\w+|ecrãs?|palavra-passe|negócios?|travão|connosco|porquê)\b|«",
        re.IGNORECASE,
    ),
}
SOURCES = {path: path.read_text() for path in sorted(TEMPLATES.rglob("*.html"))}
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"extensions": "jinja2.ext.do", "trimmed": "true"}}


def sentences() -> set[str]:
    found = extract_from_dir(str(DASHBOARD), METHODS, OPTIONS)
    return {m[0] if isinstance(m, tuple) else m for _, _, m, _, _ in found if m}


@pytest.mark.parametrize("language", ["es", "pt"])
def test_catalogues_are_complete(language: str):
    path = locales.DIRECTORY / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        catalogue = read_po(file)
    texts = {m.id[0] if isinstance(m.id, tuple) else m.id: m for m in catalogue if m.id}
    assert sentences() - set(texts) == set(), "run make messages, then translate"
    for message in texts.values():
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), f"not translated: {message.id}"
        assert len(ids) == len(strings)
        for source, text in zip(ids, strings, strict=True):
            assert sorted(PLACES.findall(source)) == sorted(PLACES.findall(text)), source
            assert "%" not in PLACES.sub("", text), text
            assert not ELSEWHERE[language].search(text), text
    assert not any(message.fuzzy for message in texts.values())


def test_every_icon_is_in_the_sprite():
    known = set(json.loads((DASHBOARD / "assets" / "icons.json").read_text()))
    used = {n for s in SOURCES.values() for n in re.findall(r'icon\("([a-z0-9-]+)"', s)}
    assert used
    assert used <= known


def test_nothing_is_inline():
    inline = re.compile(r"\sstyle=|<style|<script(?![^>]*src=)|javascript:|\son[a-z]+=|hx-on|js:")
    found = {path.name: hit[0] for path, s in SOURCES.items() if (hit := inline.search(s))}
    assert found == {}


def test_every_form_that_changes_something_carries_its_token():
    for path, source in SOURCES.items():
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", source, re.DOTALL):
            assert "forms.csrf(visit)" in form, (path, form[:80])


def test_every_asset_of_the_manifest_is_served():
    files = static_files.manifest()
    for url in (files.style, files.script, files.icons, *files.fonts):
        asset = static_files.read(url.removeprefix(static_files.URL), "gzip, br")
        assert asset.caching == static_files.IMMUTABLE
        assert asset.encoding == ("" if url.endswith("woff2") else "br")
    assert static_files.read("favicon.svg", "").caching == static_files.DAILY


def test_importing_the_application_loads_no_pages_and_no_sdk():
    code = (
        "import sys, app.asgi; heavy = ('jinja2', 'babel', 'argon2', 'app.dashboard.site',"
        " 'pydantic', 'openai', 'stripe', 'resend', 'alembic', 'webauthn', 'celery', 'pypdf');"
        " print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_lock_names_no_addresses():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert [p for p, package in lock["packages"].items() if "resolved" in package] == []
    assert Path(ROOT / ".npmrc").read_text().count("omit-lockfile-registry-resolved=true") == 1


def test_without_assets_the_server_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(static_files, "STATIC", tmp_path)
    with pytest.raises(ConfigurationError, match="make assets"):
        static_files.require_built()


@pytest.mark.anyio
async def test_pages_that_were_not_built_answer_in_plain_words():
    def build() -> Litestar:
        raise ConfigurationError(["not built"])

    transport = httpx.ASGITransport(app=Entrance(build))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        answer = await client.get("/")
    assert answer.status_code == 503
    assert "make assets" in answer.text
