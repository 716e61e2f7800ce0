"""One throw-away PostgreSQL for the tests of the embedded servers and the bootstrap."""

from collections.abc import Iterator

import pytest

from app.cli.local.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("cluster") / "pg", durable=False)
    server.start()
    yield server
    server.destroy()
