"""One machine, and one pipeline on it, for the smoke tests of the benchmarks."""

from collections.abc import Iterator

import pytest

from benchmarks.pipeline import Pipeline, pipeline
from benchmarks.servers import Servers, servers


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("bench")) as running:
        yield running


@pytest.fixture(scope="module")
def bench(machine: Servers) -> Iterator[Pipeline]:
    with pipeline(machine) as running:
        yield running
