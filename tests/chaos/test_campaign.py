"""`parley chaos` as an operator runs it, small: real processes, real kills, every promise kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Generous: a busy machine takes longer, and a promise does not depend on it.
TIMEOUT_S = 200


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_a_campaign_keeps_every_promise(tmp_path: Path):
    command = [sys.executable, "-P", "-m", "app.cli.main", "chaos", "--messages", "96"]
    done = subprocess.run(
        [*command, "--customers", "24", "--kills", "8", "--seed", "11"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["messages"] == 96
    assert result["kills"] == 8
    assert result["settled"]
    broken = {name: result[name] for name in ("lost", "doubled", "out_of_order", "drift")}
    assert broken == {"lost": 0, "doubled": 0, "out_of_order": 0, "drift": 0}
    paid = result["replies"] - result["unknown_shown"]
    assert float(result["spent_credits"]) == paid > 0
    answered = result["dispositions"].get("answered", 0) + result["dispositions"].get("merged", 0)
    assert answered > 96 / 2, result["dispositions"]
    assert list(tmp_path.iterdir()) == [], "a drill leaves nothing behind"
