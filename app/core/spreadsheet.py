"""Lines of CSV (RFC 4180) that are harmless in a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime

# What a spreadsheet would run as a formula, or let a text begin with to hide one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class Figure(str):
    """A number in digits: it is a number in the spreadsheet too, whatever its sign."""

    __slots__ = ()


def csv_line(cells: Iterable[object]) -> str:
    """Return one line, with its end.

    Texts that a spreadsheet would take for a formula get an apostrophe in front. None is an
    empty cell, times are ISO 8601, objects JSON.
    """
    out = io.StringIO()
    csv.writer(out).writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Figure | int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    told = json.dumps(value, ensure_ascii=False, sort_keys=True) if _is_json(value) else str(value)
    return f"'{told}" if told.startswith(_FORMULA) else told


def _is_json(value: object) -> bool:
    return isinstance(value, dict | list)
