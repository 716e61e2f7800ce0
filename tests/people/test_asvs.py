"""The table of ASVS 5.0.0 in docs/security.md: whole, and about tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "security.md").read_text().split("## OWASP ASVS", 1)[1]
# How many requirements of levels 1 and 2 each section has: the last one of those levels where
# they stand in front, else all of them by number. Source: the standard's own CSV, version 5.0.0.
REQUIREMENTS = {
    "V1.1": 2, "V1.2": 9, "V1.3": 11, "V1.4": 3, "V1.5": 2,
    "V2.1": 3, "V2.2": 3, "V2.3": 4, "V2.4": 1,
    "V3.2": 2, "V3.3": 4, "V3.4": 6, "V3.5": 5, "V3.7": 2,
    "V4.1": 3, "V4.2": 1, "V4.3": 2, "V4.4": 4,
    "V5.1": 1, "V5.2": 3, "V5.3": 2, "V5.4": 3,
    "V6.1": 3, "V6.2": 12, "V6.3": 4, "V6.4": 4, "V6.5": 5, "V6.6": 3, "V6.8": 4,
    "V7.1": 3, "V7.2": 4, "V7.3": 2, "V7.4": 5, "V7.5": 2, "V7.6": 2,
    "V8.1": 2, "V8.2": 3, "V8.3": 1, "V8.4": 1,
    "V9.1": 3, "V9.2": 4,
    "V11.1": 2, "V11.2": 3, "V11.3": 3, "V11.4": 4, "V11.5": 1, "V11.6": 1,
    "V12.1": 3, "V12.2": 2, "V12.3": 4,
    "V13.1": 1, "V13.2": 5, "V13.3": 2, "V13.4": 5,
    "V14.1": 2, "V14.2": 4, "V14.3": 3,
    "V15.1": 3, "V15.2": 3, "V15.3": 7,
    "V16.1": 1, "V16.2": 5, "V16.3": 4, "V16.4": 3, "V16.5": 3,
}  # fmt: skip


def test_every_requirement_stands_in_the_table_once():
    wanted = [f"{section}.{n + 1}" for section, count in REQUIREMENTS.items() for n in range(count)]
    firsts = [line.split("|")[1] for line in TABLE.splitlines() if line.startswith("| V")]
    named = [word for cell in firsts for word in re.findall(r"V\d+\.\d+\.\d+", cell)]
    assert sorted(named) == sorted(wanted)


def test_every_test_that_it_names_exists():
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", TABLE.split("### V1 ", 1)[1])
    assert len(named) > 100
    for file, test in named:
        path = next(p for p in (ROOT / "tests" / file, ROOT / file) if p.is_file())
        if test:
            tree = ast.parse(path.read_text())
            found = {node.name for node in ast.walk(tree) if hasattr(node, "name")}
            assert test in found, f"{file}::{test}"


def test_every_row_names_a_test_or_a_reason():
    for line in TABLE.splitlines():
        if line.startswith("| V"):
            _, how, proof = (cell.strip() for cell in line.strip("|").split("|"))
            assert (how, proof) != ("–", "–"), line
