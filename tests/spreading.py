"""How tests are spread over workers: what shares a set-up stays together, the longest first."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

# One set-up serves the whole folder; elsewhere it serves a module.
_TOGETHER = {
    "tests/dashboard",
    "tests/journeys",
    "tests/knowledge",
    "tests/numbers",
    "tests/simulator",
}
_APART = {"tests/journeys/test_production.py"}
# What takes longest, so that no worker is left with it when the others have done everything.
_FIRST = (
    "tests/chaos/test_points.py",
    "tests/journeys",
    "tests/chaos/test_campaign.py",
    "tests/chaos/test_situations.py",
    "tests/engine/test_turn_machine.py",
    "tests/engine/test_send_machine.py",
    "tests/billing/test_state_machine.py",
    "tests/dashboard",
    "tests/benchmarks/test_benchmarks.py",
    "tests/isolation/test_routes.py",
    "tests/simulator",
    "tests/database/test_migrations.py",
    "tests/billing/test_concurrency.py",
    "tests/embedded/test_postgres.py",
    "tests/journeys/test_production.py",
)


def group_of(nodeid: str) -> str:
    """The module or folder whose tests one worker runs after each other."""
    module = nodeid.partition("::")[0]
    folder = str(PurePosixPath(module).parent)
    return folder if folder in _TOGETHER and module not in _APART else module


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests in the order in which their groups are given out."""
    ranks = {group: rank for rank, group in enumerate(_FIRST)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


class Spreading(LoadScopeScheduling):
    """Gives whole groups to whoever is free, in the order in which they were collected."""

    def schedule(self) -> None:
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
