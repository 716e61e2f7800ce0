"""What one check of `parley doctor` found, and the exit code of all of them together."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from app.cli.errors import ExitCode

State = Literal["ok", "wrong", "unreachable", "skipped"]
MARKS: dict[State, str] = {"ok": "✓", "wrong": "✗", "unreachable": "✗", "skipped": "·"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; `remedy` says what to do and is empty when all is well."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Unreachable outweighs wrong: what cannot be reached cannot be judged."""
    states = {finding.state for finding in findings}
    if "unreachable" in states:
        return ExitCode.UNREACHABLE
    return ExitCode.WRONG if "wrong" in states else ExitCode.DONE


def table(findings: Sequence[Finding]) -> str:
    """The findings for people, remedies below their line."""
    width = max(len(finding.name) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]} {finding.name:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"  {'':<{width}}  → {finding.remedy}")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> dict[str, object]:
    """`{"ok": bool, "checks": [{name,state,detail,remedy}]}`."""
    return {
        "ok": exit_code(findings) is ExitCode.DONE,
        "checks": [asdict(finding) for finding in findings],
    }
