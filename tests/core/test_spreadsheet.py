"""Lines of CSV: nothing in them runs, and numbers stay numbers."""

import csv
import io
from datetime import UTC, datetime

import pytest

from app.core.spreadsheet import Figure, csv_line


def read(line: str) -> list[str]:
    (row,) = csv.reader(io.StringIO(line, newline=""))
    return row


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "%0A"])
def test_cells_do_not_run(cell: str):
    assert read(csv_line([cell, 'a"b,c\nd'])) == ["'" + cell, 'a"b,c\nd']


def test_figures_times_and_nothing():
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    line = csv_line([Figure("-2.5"), -3, None, at, {"b": 1, "a": "é"}])
    assert read(line) == ["-2.5", "-3", "", "2026-11-23T08:00:00+00:00", '{"a": "é", "b": 1}']
