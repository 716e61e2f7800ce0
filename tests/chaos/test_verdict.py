"""A verdict that cannot find anything proves nothing: each broken promise has to be seen."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.chaos.evidence import Evidence, Outstanding, Part, Received, Shown
from benchmarks.chaos.marks import marks_in, tail_of, tokens_in
from benchmarks.chaos.verdict import Verdict, Written, judge

PHONE = "12025550100"
A, B, C = "#000001-00aa", "#000002-00bb", "#000003-00cc"
WRITTEN = [Written(A, PHONE), Written(B, PHONE), Written(C, PHONE)]
RECEIVED = [
    Received(A, "merged", "t1"),
    Received(B, "answered", "t1"),
    Received(C, "answered", "t2"),
]
PHONES = {PHONE: [Shown("b1", (A, B)), Shown("b2", (C,))]}
PART = Part(
    turn_id="t1",
    state="read",
    resolved_by="response",
    error=None,
    ids=("b1",),
    marks=(A, B),
    attempts=1,
)
PARTS = [PART, replace(PART, turn_id="t2", ids=("b2",), marks=(C,))]


def verdict(
    *,
    received: Sequence[Received] = RECEIVED,
    shown: Sequence[Shown] = PHONES[PHONE],
    parts: Sequence[Part] = PARTS,
    findings: Sequence[str] = (),
    spent: int | None = None,
) -> Verdict:
    credits_ = None if spent is None else Decimal(spent)
    return judge(WRITTEN, Evidence(received, parts, {PHONE: shown}, findings, credits_))


def test_what_was_promised_is_no_finding():
    found = verdict()
    assert found.kept
    assert found.visible == 2
    assert found.dispositions == {"merged": 1, "answered": 2}
    assert not found.doubted
    assert not found.unknown


@pytest.mark.parametrize(
    ("received", "shown"),
    [
        pytest.param(RECEIVED[:2], PHONES[PHONE][:1], id="never arrived"),
        pytest.param(
            [*RECEIVED[:2], Received(C, None, "t2")], PHONES[PHONE][:1], id="no disposition"
        ),
        pytest.param(
            [*RECEIVED[:2], Received(C, None, "t2")], PHONES[PHONE], id="answered, not disposed"
        ),
        pytest.param(RECEIVED, PHONES[PHONE][:1], id="answered, but on no phone"),
    ],
)
def test_a_message_without_an_end_is_lost(received, shown):
    found = verdict(received=received, shown=shown)
    assert len(found.lost) == 1
    assert C in found.lost[0]
    assert not found.kept


def test_a_message_that_people_have_is_not_lost():
    received = [*RECEIVED[:2], Received(C, "failed_handed_off", "t2")]
    assert verdict(received=received, shown=PHONES[PHONE][:1]).kept


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([Shown("b1", (A, B)), Shown("b2", (B, C))], id="a token twice"),
        pytest.param([Shown("b1", (A,)), Shown("b1", (B,)), Shown("b2", (C,))], id="a part twice"),
        pytest.param([*PHONES[PHONE], Shown("b3", ())], id="a bubble about nothing"),
    ],
)
def test_what_is_said_twice_is_found(shown):
    found = verdict(shown=shown)
    assert found.doubled
    assert not found.kept


def test_what_is_said_to_somebody_else_is_found():
    evidence = Evidence(RECEIVED, PARTS, {**PHONES, "12025550101": [Shown("b1", (A, B))]}, ())
    found = judge(WRITTEN, evidence)
    assert len(found.doubled) == 2
    assert "who did not write it" in found.doubled[0]


def test_a_message_that_is_stored_twice_is_found():
    assert verdict(received=[*RECEIVED, RECEIVED[-1]]).doubled


def test_an_answer_that_overtakes_is_out_of_order():
    found = verdict(shown=PHONES[PHONE][::-1])
    assert len(found.out_of_order) == 1
    assert found.overtaken == 1
    assert not found.kept


def test_messages_that_came_late_are_counted_but_not_blamed():
    received = [RECEIVED[2], *RECEIVED[:2]]
    found = verdict(received=received, shown=PHONES[PHONE][::-1])
    assert found.kept
    assert found.overtaken == 1


def test_credits_that_do_not_add_up_are_drift():
    assert not verdict(findings=["a charge without a reply"]).kept


@pytest.mark.parametrize(("spent", "kept"), [(2, True), (1, False), (3, False)])
def test_every_reply_that_was_seen_costs_one_credit(spent, kept):
    assert verdict(spent=spent).kept == kept


@pytest.mark.parametrize(("spent", "kept"), [(1, True), (2, False)])
def test_a_reply_that_nobody_can_prove_costs_nothing(spent, kept):
    parts = [PART, replace(PARTS[1], state="unknown")]
    assert verdict(parts=parts, spent=spent).kept == kept


LONG = [
    replace(PART, marks=(A, B)),
    replace(PART, ids=("b3",), marks=(tail_of(B),), part_no=2),
    PARTS[1],
]
LONG_SHOWN = [Shown("b1", (A, B)), Shown("b3", (tail_of(B),)), Shown("b2", (C,))]


def test_a_reply_of_two_bubbles_is_one_reply():
    found = verdict(parts=LONG, shown=LONG_SHOWN, spent=2)
    assert found.kept, found
    assert found.visible == 2


def test_bubbles_of_a_reply_that_were_swapped_are_out_of_order():
    found = verdict(parts=LONG, shown=[LONG_SHOWN[1], LONG_SHOWN[0], LONG_SHOWN[2]])
    assert len(found.out_of_order) == 1


def test_within_a_reply_the_model_chose_the_order():
    parts = [replace(LONG[0], marks=(B,)), replace(LONG[1], marks=(A,)), LONG[2]]
    shown = [Shown("b1", (B,)), Shown("b3", (A,)), LONG_SHOWN[2]]
    assert verdict(parts=parts, shown=shown).kept


@pytest.mark.parametrize(("error", "lost"), [("not_sent", 0), ("status_400", 1)])
def test_what_was_not_sent_behind_a_part_in_doubt_is_counted_not_lost(error, lost):
    unsaid = replace(LONG[1], state="failed", error=error, marks=(B,))
    parts = [replace(LONG[0], marks=(A,)), unsaid, LONG[2]]
    found = verdict(parts=parts, shown=[Shown("b1", (A,)), LONG_SHOWN[2]])
    assert len(found.lost) == lost
    assert found.cut_short == 1 - lost


def test_a_bubble_under_another_id_is_said_twice():
    assert verdict(parts=LONG, shown=[*LONG_SHOWN, Shown("b4", (tail_of(B),))]).doubled


def test_a_reply_of_which_one_part_is_in_doubt_is_charged():
    parts = [LONG[0], replace(LONG[1], state="unknown"), LONG[2]]
    found = verdict(parts=parts, shown=LONG_SHOWN, spent=2)
    assert found.kept, found
    assert found.unknown == {"beside a part that was taken": 1}


def test_doubtful_sends_are_told_by_what_settled_them():
    parts = [
        replace(PART, resolved_by="echo"),
        replace(PART, attempts=2),
        replace(PART, turn_id="t2", state="unknown", marks=(C,)),
        replace(PART, turn_id="t3", state="unknown", marks=("#000009-00ff",)),
    ]
    found = verdict(parts=parts)
    assert found.doubted == {"echo": 1, "the same id again": 1, "unknown": 2}
    assert found.unknown == {"shown": 1, "not shown": 1}


def test_the_end_is_awaited():
    nothing = Outstanding(inbox=0, messages=3, undecided=0, turns=0, parts=0, doubtful=0, holds=0)
    assert nothing.waits_for(3) == []
    assert nothing.waits_for(5) == ["2 messages not arrived"]
    assert replace(nothing, turns=1).waits_for(3) == ["1 turns under way"]


def test_tokens_are_found_in_their_order():
    assert tokens_in(f"{B} please\n{A} please #12-zz") == (B, A)


def test_a_tail_is_no_token():
    assert tokens_in(tail_of(A)) == ()
    assert marks_in(f"{A} please\n\n{tail_of(A)}") == (A, tail_of(A))
