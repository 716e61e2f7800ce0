"""Upstash over REST with the real client against a real Redis."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from tests.simulator.conftest import Sim

SHEBANG = "#!lua flags=allow-key-locking\n"
SCRIPT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
AUTH = {"authorization": "Bearer simulator"}


@pytest.fixture
def redis(sim: Sim) -> Iterator[Redis]:
    with Redis(url=f"{sim.url}/upstash", token="simulator", rest_retries=0) as client:
        client.flushdb()
        client.script_flush()
        yield client


def test_values_of_every_kind(redis: Redis) -> None:
    assert redis.set("a", "¿qué? 😀")
    assert redis.get("a") == "¿qué? 😀"
    assert redis.get("none") is None
    assert redis.incrby("n", 41) == 41
    redis.rpush("l", "OK", "x")
    assert redis.lrange("l", 0, -1) == ["OK", "x"]
    assert redis.hset("h", values={"f": "v"}) == 1
    assert redis.hgetall("h") == {"f": "v"}


def test_scripts_with_and_without_the_first_line_old_redis_refuses(redis: Redis) -> None:
    for text in (SCRIPT, SHEBANG + SCRIPT):
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        redis.script_flush()
        with pytest.raises(UpstashError, match="NOSCRIPT"):
            redis.evalsha(sha, keys=["n"], args=["1"])
        assert isinstance(redis.eval(text, keys=["n"], args=["1"]), int)
        assert isinstance(redis.evalsha(sha, keys=["n"], args=["1"]), int)
        assert redis.script_load(text) == sha
        assert redis.script_exists(sha) == [True]


def test_pipeline_and_transaction(redis: Redis) -> None:
    pipeline = redis.pipeline()
    pipeline.set("a", "1").incr("a").get("a")
    assert pipeline.exec() == [True, 2, "2"]
    transaction = redis.multi()
    transaction.incr("a").get("a")
    assert transaction.exec() == [3, "3"]


def test_wire_forms(sim: Sim, redis: Redis) -> None:
    def post(path: str, body: Any, **headers: str) -> Any:
        return sim.http.post(f"/upstash{path}", json=body, headers=AUTH | headers)

    assert post("/", ["SET", "k", "OK"]).json() == {"result": "OK"}
    coded = post("/", ["GET", "k"], **{"Upstash-Encoding": "base64"}).json()
    assert coded == {"result": "T0s="}
    assert post("/", ["SET", "k", 1], **{"Upstash-Encoding": "base64"}).json() == {"result": "OK"}
    wrong = post("/", ["INCR", "k", "x"])
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("ERR")
    piped = post("/pipeline", [["INCR", "k"], ["NONSENSE"], ["BLPOP", "l", 0]])
    assert piped.status_code == 200
    assert [list(r) for r in piped.json()] == [["result"], ["error"], ["error"]]
    discarded = post("/multi-exec", [["SET", "k", "5"], ["NONSENSE"]])
    assert (discarded.status_code, list(discarded.json())) == (400, ["error"])
    assert sim.http.get("/upstash/get/k", params={"_token": "simulator"}).json() == {"result": "2"}
    assert post("/", ["GET", "k"], **{"Upstash-Response-Format": "resp2"}).text == "$1\r\n2\r\n"


def test_who_may_ask(sim: Sim) -> None:
    refused = sim.http.post("/upstash", json=["GET", "k"], headers={"authorization": "Bearer no"})
    assert (refused.status_code, refused.json()) == (
        401,
        {"error": "WRONGPASS invalid or missing auth token"},
    )
    assert sim.http.delete("/upstash", headers=AUTH).status_code == 405


def test_calls_stand_under_their_own_path(sim: Sim, redis: Redis) -> None:
    redis.get("a")
    paths = [c["path"] for c in sim.get("/_sim/calls", service="upstash")["calls"]]
    assert paths[-1] == "/"
