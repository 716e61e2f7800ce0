"""The built assets: their hashed names, and serving them as files that never change.

`make assets` (Vite) writes ``app/dashboard/static`` with a manifest and compressed copies. The
directory is read when the first page is asked for; a process that has none says so at its start.
"""

import json
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from app.core.errors import ConfigurationError, NotFoundError

STATIC = Path(__file__).parent / "static"
URL = "/static/"
_FONTS = ("instrument-sans-latin-wght", "bricolage-grotesque-latin-wght")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {".woff2": "font/woff2", ".js": "text/javascript", ".svg": "image/svg+xml"}
IMMUTABLE = "public, max-age=31536000, immutable"
DAILY = "public, max-age=86400"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. ``encoding`` is empty for the plain bytes."""

    content: bytes
    media_type: str
    encoding: str
    caching: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where the pages find their files, as URLs."""

    style: str
    script: str
    icons: str
    fonts: tuple[str, ...]


def is_built() -> bool:
    """Tell whether the assets are there."""
    return (STATIC / "manifest.json").is_file()


def require_built() -> None:
    """Raise ConfigurationError, with the remedy, when the assets are not there."""
    if not is_built():
        raise ConfigurationError(
            ["The pages' assets are not built (app/dashboard/static is empty). Run: make assets"]
        )


@cache
def manifest() -> Manifest:
    """Return the URLs of the built files; ConfigurationError when they are not there."""
    require_built()
    entries = json.loads((STATIC / "manifest.json").read_text())

    def url(source: str) -> str:
        return URL + str(entries[source]["file"])

    fonts = {Path(source).name: url(source) for source in entries if source.endswith(".woff2")}
    wanted = [f"{name}-normal.woff2" for name in _FONTS]
    return Manifest(
        style=url("app/dashboard/assets/app.css"),
        script=url("app/dashboard/assets/app.js"),
        icons=url("icons.svg"),
        fonts=tuple(fonts[name] for name in wanted),
    )


def read(name: str, accept_encoding: str) -> Asset:
    """Return a file in the best encoding that the browser takes; NotFoundError for others."""
    known = _names()
    if name not in known:
        raise NotFoundError("There is nothing here.")
    fitting = [e for e in _ENCODINGS if e[0] in accept_encoding and name + e[1] in known]
    encoding, suffix = fitting[0] if fitting else ("", "")
    media_type = _TYPES.get(Path(name).suffix) or guess_type(name)[0] or "application/octet-stream"
    return Asset(_content(name + suffix), media_type, encoding, _caching(name))


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in STATIC.iterdir() if path.name != "manifest.json")


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@cache
def _hashed() -> frozenset[str]:
    entries = json.loads((STATIC / "manifest.json").read_text())
    return frozenset(str(entry["file"]) for entry in entries.values())


def _caching(name: str) -> str:
    return IMMUTABLE if name in _hashed() else DAILY
