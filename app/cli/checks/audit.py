"""`make audit`: looks the locked packages up in the vulnerability database, honest about gaps.

`pip-audit` ends with 0 and "no known vulnerabilities" also when the database knew none of the
packages (a mirror, no network). Run as `python -m app.cli.checks.audit requirements.lock`: it ends
with 1 for vulnerabilities that were found, and only warns of what could not be looked up.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 300.0
SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What pip-audit looked up: vulnerable packages as text, and counts of the others."""

    vulnerable: tuple[str, ...]
    audited: int
    skipped: int


def main(lock: str) -> int:
    """Audit the lock file and print one or a few lines; the exit code."""
    report, error = audit(Path(lock))
    if report is None:
        print(f"audit: WARNING: the database cannot be reached, NOTHING was audited: {error}")
        return 0
    for line in report.vulnerable:
        print(f"audit: VULNERABLE: {line}")
    if report.skipped:
        print(
            f"audit: WARNING: {report.skipped} packages are unknown to the database that answered"
        )
    print(f"audit: {report.audited} packages looked up, {len(report.vulnerable)} vulnerable")
    return 1 if report.vulnerable else 0


def audit(lock: Path) -> tuple[Report | None, str]:
    """The report, or None and the reason why there is none."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "report.json"
        # fmt: off
        command = [
            sys.executable, "-m", "pip_audit", "--progress-spinner", "off",
            "--disable-pip", "--require-hashes", "-r", str(lock),
            "--format", "json", "--output", str(output),
        ]
        # fmt: on
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"no answer within {TIMEOUT_S:.0f} s"
        if not output.exists() or not output.read_text().strip():
            lines = done.stderr.strip().splitlines()
            return None, lines[-1] if lines else f"pip-audit ended with {done.returncode}"
        return parse(json.loads(output.read_text())), ""


def parse(document: dict[str, Any]) -> Report:
    """Read pip-audit's JSON: `dependencies` with `vulns`, or a `skip_reason`."""
    packages = document["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    vulnerable = [
        f"{package['name']} {package['version']}: {_advisories(package['vulns'])}"
        for package in packages
        if package.get("vulns")
    ]
    return Report(tuple(vulnerable), len(packages) - len(skipped), len(skipped))


def _advisories(found: list[dict[str, Any]]) -> str:
    shown = [
        f"{item['id']} (fixed in {', '.join(item['fix_versions']) or 'no release yet'})"
        for item in found[:SHOWN_MAX]
    ]
    more = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
