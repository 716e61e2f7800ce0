"""What people are refused with and written to: a sentence of the catalogue, in three languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import locales
from app.core.errors import RefusedError, Word

ROOT = Path(__file__).parents[2]
SHOWN = {
    f"{name}Error"
    for name in (
        "Refused", "Conflict", "NotSignedIn", "Forbidden", "NotFound", "TooManyAttempts",
        "StepUpNeeded", "FactorNeeded", "Csrf",
    )
}  # fmt: skip
FOLDERS = ("app/core", "app/http", "app/messaging", "app/assistant", "billing", "tenants")


def spoken() -> Iterator[tuple[str, ast.expr]]:
    """Where each sentence stands, and the expression that it is."""
    for path in sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")):
        source = path.read_text()
        if "Error(" not in source and "Word(" not in source and "_(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in SHOWN | {"Word", "_"}:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {name}", node.args[0]


@pytest.fixture(scope="module")
def sentences() -> list[tuple[str, ast.expr]]:
    return list(spoken())


def test_refusals_are_whole_sentences_that_can_be_translated(sentences):
    """A sentence with a figure in it is a sentence with a place: an f-string stays English."""
    composed = [place for place, sentence in sentences if isinstance(sentence, ast.JoinedStr)]
    assert composed == []


@pytest.mark.parametrize("language", ["es", "pt"])
def test_every_one_is_translated(language: str, sentences):
    known = locales.translations(language)
    missing = [
        f"{place} {sentence.value!r}"
        for place, sentence in sentences
        if isinstance(sentence, ast.Constant) and sentence.value
        if known.gettext(sentence.value) == sentence.value
    ]
    assert missing == [], "run make messages, then translate"


def test_a_refusal_is_told_in_the_readers_language():
    error = RefusedError("Too long: %(what)s has at most %(most)s characters.",
                         what=Word("the greeting"), most=300)  # fmt: skip
    assert str(error) == "Too long: the greeting has at most 300 characters."
    assert error.told(locales.translator("es")) == (
        "Demasiado largo: el saludo tiene como máximo 300 caracteres."
    )
    assert error.told(locales.translator("de-AT")) == str(error)
    assert RefusedError("100 % of it.").told(locales.translator("en")) == "100 % of it."
