"""`parley doctor`'s verdicts and `make audit`'s honesty."""

import pytest

from app.cli.checks.audit import parse
from app.cli.checks.result import Finding, as_json, exit_code, table
from app.cli.checks.settings import read_settings
from app.cli.errors import ExitCode

OK = Finding("python", "ok", "3.12")
WRONG = Finding("schema", "wrong", "at nothing", "parley migrate up")
SILENT = Finding("redis", "unreachable", "no answer", "start Redis")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([OK, Finding("x", "skipped", "")], ExitCode.DONE),
        ([OK, WRONG], ExitCode.WRONG),
        ([WRONG, SILENT], ExitCode.UNREACHABLE),
    ],
)
def test_exit_code_of_findings(findings: list[Finding], code: ExitCode) -> None:
    assert exit_code(findings) is code
    assert as_json(findings)["ok"] is (code is ExitCode.DONE)


def test_the_table_says_what_to_do() -> None:
    text = table([OK, WRONG])
    assert "✓ python" in text
    assert "✗ schema" in text
    assert "→ parley migrate up" in text


def test_values_of_variables_are_never_shown() -> None:
    environ = {"SECRET_KEY": "kept-private", "DATABASE_URL": "postgresql://u:kept-private@h/d"}
    _, findings = read_settings(environ)
    assert "kept-private" not in table(findings)
    assert {f.name: f.state for f in findings}["DATABASE_URL"] == "ok"


def test_unusable_settings_are_named() -> None:
    settings, findings = read_settings({"PORT": "many", "ENCRYPTION_KEYS": "k:short"})
    assert settings is None
    assert any("PORT" in finding.detail for finding in findings)


def test_an_audit_counts_what_it_could_not_look_up() -> None:
    report = parse(
        {
            "dependencies": [
                {"name": "a", "skip_reason": "unknown"},
                {"name": "b", "version": "1", "vulns": []},
                {"name": "c", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]},
            ]
        }
    )
    assert report.skipped == 1
    assert report.audited == 2
    assert report.vulnerable == ("c 2: X-1 (fixed in 3)",)
