"""A statement as CSV or JSON, written piece by piece."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from app.core.money import format_credits
from app.core.spreadsheet import Figure, csv_line
from billing.statements import Line, Terms

CSV_COLUMNS = (
    "time",
    "kind",
    "amount",
    "balance",
    "turn_id",
    "send_id",
    "conversation_id",
    "price_version",
    "model",
    "input_tokens",
    "output_tokens",
    "reference",
    "request_id",
    "entry",
)
# What the totals call a kind of line.
_TOTALS = {
    "grant": "granted",
    "capture": "charged",
    "refund": "refunded",
    "expire": "expired",
    "claw": "clawed",
    "settle_owed": "clawed",
}


@dataclass(slots=True)
class Totals:
    """The sums of a statement's lines, in micro-credits; each as a positive figure."""

    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TOTALS.values(), 0))
    lines: int = 0
    closing_ucr: int = 0

    def add(self, line: Line) -> None:
        """Count a line."""
        self.sums[_TOTALS[line.kind]] += abs(line.amount_ucr)
        self.lines += 1
        self.closing_ucr = line.balance_ucr


async def as_csv(about: Terms, lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Yield CSV (RFC 4180): a header, the opening balance, the lines, the closing balance."""
    totals = Totals(closing_ucr=about.opening_ucr)
    yield csv_line(CSV_COLUMNS)
    yield csv_line(_balance_row(about.since.isoformat(), "opening", about.opening_ucr))
    async for line in lines:
        totals.add(line)
        yield csv_line(_cells(line))
    yield csv_line(_balance_row(about.until.isoformat(), "closing", totals.closing_ucr))


async def as_json(about: Terms, lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Yield one JSON object: terms, ``opening``, ``lines``, then ``totals`` and ``closing``.

    Credits are decimal strings. The sums stand last, because they are known last.
    """
    totals = Totals(closing_ucr=about.opening_ucr)
    head = {
        "tenant_id": str(about.tenant_id),
        "business": about.name,
        "month": about.month,
        "time_zone": about.time_zone,
        "since": about.since.isoformat(),
        "until": about.until.isoformat(),
        "provisional": about.provisional,
        "opening": format_credits(about.opening_ucr),
    }
    yield json.dumps(head)[:-1] + ', "lines": ['
    async for line in lines:
        yield ("," if totals.lines else "") + "\n" + json.dumps(_object(line))
        totals.add(line)
    tail = {
        "totals": {name: format_credits(ucr) for name, ucr in totals.sums.items()},
        "line_count": totals.lines,
        "closing": format_credits(totals.closing_ucr),
    }
    yield "],\n" + json.dumps(tail)[1:] + "\n"


def _object(line: Line) -> dict[str, object]:
    return {
        "time": line.at.isoformat(),
        "kind": line.kind,
        "amount": format_credits(line.amount_ucr),
        "balance": format_credits(line.balance_ucr),
        "turn_id": _text(line.turn_id),
        "send_id": _text(line.send_id),
        "conversation_id": _text(line.conversation_id),
        "price_version": line.price_version_id,
        "model": line.model,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "reference": line.reference,
        "request_id": line.request_id,
        "entry": line.seq,
    }


def _cells(line: Line) -> list[object]:
    values = _object(line)
    for name in ("amount", "balance"):
        values[name] = Figure(values[name])
    return [values[name] for name in CSV_COLUMNS]


def _balance_row(time: str, kind: str, balance_ucr: int) -> list[object]:
    cells: list[object] = [None] * len(CSV_COLUMNS)
    cells[:4] = [time, kind, None, Figure(format_credits(balance_ucr))]
    return cells


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None
