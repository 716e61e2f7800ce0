"""The embedded Redis: answers, refuses to forget silently, comes back after kill -9."""

import os
import signal
import time
from pathlib import Path

import redis

from app.cli.local.redis import EmbeddedRedis


def test_it_is_a_broker_on_loopback_that_survives_a_kill(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    url = server.url
    try:
        with redis.Redis.from_url(url) as client:
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
            assert client.config_get("bind")["bind"] == "127.0.0.1"
            assert client.config_get("save")["save"] == ""
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while server.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.restart()
        assert server.url == url
        with redis.Redis.from_url(url) as client:
            assert client.ping()
    finally:
        assert server.stop() == 0
