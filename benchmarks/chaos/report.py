"""What a campaign prints: lines for people, and one JSON object for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from app.core.faults import FAULT_POINTS
from benchmarks.chaos.campaign import Outcome
from benchmarks.chaos.points import ACTIONS, Round
from benchmarks.chaos.verdict import Verdict

FINDINGS_SHOWN = 12


def lines(outcome: Outcome) -> Iterator[str]:
    """The report for people."""
    order, verdict = outcome.order, outcome.verdict
    yield (
        f"seed {order.seed}: {order.messages} messages of {order.customers} customers to"
        f" {order.tenants} businesses; {outcome.faults} faults asked for;"
        f" {outcome.seconds:.0f} s, of them {outcome.settle_s:.0f} s to settle"
    )
    yield f"  kills survived   {_counted(outcome.kills)}"
    yield f"  dispositions     {_counted(verdict.dispositions)}"
    yield (
        f"  credits spent    {_spent(verdict)} for {verdict.visible} replies on phones,"
        f" {verdict.unknown['shown']} of them unknown to us"
    )
    yield f"  doubtful sends   settled by: {_counted(verdict.doubted)}"
    yield f"  unknown for good {_counted(verdict.unknown)}"
    yield f"  cut short        {verdict.cut_short} replies, behind a bubble in doubt"
    yield f"  late deliveries  {verdict.overtaken} messages answered after later ones of theirs"
    for name, found in _promises(verdict):
        yield f"  {name:<16} {len(found)}"
        yield from (f"      {line}" for line in found[:FINDINGS_SHOWN])
        if len(found) > FINDINGS_SHOWN:
            yield f"      … and {len(found) - FINDINGS_SHOWN} more"
    if outcome.outstanding:
        yield f"  NOT SETTLED      {', '.join(outcome.outstanding)}"
    if not outcome.spoke:
        yield f"  MOSTLY SILENT    {verdict.answered} of {order.messages} messages were answered"
    yield "  every promise kept" if outcome.kept else "  A PROMISE WAS BROKEN"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome's figures."""
    verdict = outcome.verdict
    return {
        "seed": outcome.order.seed,
        "messages": outcome.order.messages,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "out_of_order": len(verdict.out_of_order),
        "drift": len(verdict.drift),
        "kills": outcome.kills.total(),
        "unknown": verdict.unknown.total(),
        "unknown_shown": verdict.unknown["shown"],
        "cut_short": verdict.cut_short,
        "replies": verdict.visible,
        "spent_credits": _spent(verdict),
        "dispositions": dict(verdict.dispositions),
        "kills_by_process": dict(outcome.kills),
        "doubtful_settled_by": dict(verdict.doubted),
        "overtaken": verdict.overtaken,
        "settled": outcome.settled,
        "seconds": round(outcome.seconds, 1),
    }


def round_lines(rounds: Sequence[Round]) -> Iterator[str]:
    """The report of the fault matrix for people."""
    for action in ACTIONS:
        mine = [each for each in rounds if each.action == action]
        seconds = sum(each.seconds for each in mine)
        fired = sum(len(each.fired) for each in mine)
        yield (
            f"{action}: {fired} faults at {len(FAULT_POINTS)} points in {len(mine)} rounds,"
            f" {seconds:.0f} s"
        )
        for number, each in enumerate(mine, 1):
            yield from (f"  round {number}: {line}" for line in _complaints(each))
    kept = all(each.kept for each in rounds)
    yield "  every promise kept" if kept else "  A PROMISE WAS BROKEN"


def rounds_as_json(rounds: Sequence[Round]) -> dict[str, Any]:
    """The matrix's figures; the last round judges all that was written on the stage."""
    last = rounds[-1].verdict if rounds else Verdict()
    return {
        "messages": last.dispositions.total(),
        "lost": len(last.lost),
        "doubled": len(last.doubled),
        "out_of_order": len(last.out_of_order),
        "drift": len(last.drift),
        "kills": sum(len(each.fired) for each in rounds if each.action == "kill"),
        "unknown": last.unknown.total(),
        "drops": sum(len(each.fired) for each in rounds if each.action == "drop"),
        "missed": sum(len(each.missed) for each in rounds),
        "unanswered": rounds[-1].unanswered if rounds else 0,
        "seconds": round(sum(each.seconds for each in rounds), 1),
    }


def _complaints(each: Round) -> Iterator[str]:
    yield from (f"nobody reached {point}" for point in each.missed)
    for name, found in _promises(each.verdict):
        yield from (f"{name}: {line}" for line in found[:FINDINGS_SHOWN])
    if each.unanswered:
        yield f"not answered: {_counted(each.verdict.dispositions)}"
    if each.outstanding:
        yield f"not settled: {', '.join(each.outstanding)}"


def _promises(verdict: Verdict) -> list[tuple[str, Sequence[str]]]:
    return [
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("out of order", verdict.out_of_order),
        ("ledger drift", verdict.drift),
    ]


def _spent(verdict: Verdict) -> str:
    """Without an exponent, which a Decimal of 60 credits may have."""
    return "unknown" if verdict.spent_credits is None else f"{verdict.spent_credits:f}"


def _counted(counts: Counter[str]) -> str:
    if not counts:
        return "none"
    listed = ", ".join(f"{n} {name}" for name, n in counts.most_common())
    return f"{counts.total()} ({listed})"
