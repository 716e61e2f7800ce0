"""Figures: medians, percentiles, CPU of a process, and how a benchmark's result is shown."""

import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Figure = float | int

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # fields after the process's name in /proc/<pid>/stat
_SIGNIFICANT_BELOW = 10


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity over the runs: its values, and the budget it is measured against."""

    label: str
    values: Sequence[Figure]
    budget: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found: the JSON object, the table, and sentences that explain it."""

    name: str
    figures: Mapping[str, Figure]
    columns: Sequence[Column]
    notes: Sequence[str] = field(default=())

    def as_json(self) -> str:
        """The figures as one line of JSON."""
        return json.dumps({name: tidy(value) for name, value in self.figures.items()})

    def as_table(self) -> str:
        """A table for people: each quantity with its median, its range, its budget."""
        rows: list[tuple[str, ...]] = [("", "median", "lowest", "highest", "budget")]
        for column in self.columns:
            found = sorted(column.values)
            shown = (statistics.median(found), found[0], found[-1])
            rows.append((column.label, *(f"{tidy(v):,}" for v in shown), column.budget))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if i in {0, len(widths) - 1} else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        runs = len(self.columns[0].values) if self.columns else 0
        title = f"{self.name}: {runs} run{'' if runs == 1 else 's'}, in alternation"
        return "\n".join([title, *lines, *(f"- {note}" for note in self.notes)])


def median(values: Iterable[Figure]) -> float:
    """The median; 0 of nothing."""
    found = list(values)
    return float(statistics.median(found)) if found else 0.0


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that a ``share`` (0–1) of the values do not exceed; 0 of nothing."""
    found = sorted(values)
    if not found:
        return 0.0
    return found[max(0, math.ceil(share * len(found)) - 1)]


def tidy(value: Figure) -> Figure:
    """Round to what is worth reading: three digits below ten, one decimal below a thousand."""
    if isinstance(value, int):
        return value
    if abs(value) < _SIGNIFICANT_BELOW:
        return round(value, 3)
    return round(value, 1)


def process_cpu_s(pid: int) -> float:
    """User and system time of a process so far, in seconds (its children not included)."""
    # The name in parentheses may hold blanks: count from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S
