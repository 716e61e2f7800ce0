from benchmarks.chaos.everything import Drill, Result, drills, table

FIGURES = {"messages": 2000, "lost": 0, "doubled": 0, "out_of_order": 0, "drift": 0, "kills": 40}
DRILL = Drill("campaign, seed 1", ("parley", "chaos"), {})


def test_every_kind_of_drill_is_in():
    found = list(drills(messages=9, kills=2, seeds=2, rounds=3, bodies=4, examples=5))
    names = [drill.name for drill in found]
    assert names[:3] == ["campaign, seed 1", "campaign, seed 2", "fault points × 3"]
    assert names[3:] == ["4 fuzzed bodies", "turn machine × 5", "send machine × 5"]
    assert found[1].command[-6:] == ("--messages", "9", "--kills", "2", "--seed", "2")


def test_the_table_tells_what_was_kept():
    lines = list(table([Result(DRILL, True, 61.4, FIGURES), Result(DRILL, True, 2.0, {})]))
    assert lines[1].split()[-3:] == ["40", "61", "kept"]
    assert lines[-1] == "every promise kept"


def test_the_table_names_what_was_broken():
    lines = list(table([Result(DRILL, False, 61.4, {**FIGURES, "lost": 1})]))
    assert lines[1].endswith("BROKEN")
    assert lines[-1] == "BROKEN: campaign, seed 1"
