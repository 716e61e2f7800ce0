import asyncio
import gc
import io
import json
import logging
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from app.core.errors import ProviderError
from app.core.logging import Line, bind, configure, write_lines

Lines = Callable[[], list[dict[str, Any]]]
log = logging.getLogger("app.test_lines")


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Give the process our configuration, and put pytest's back afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    stream = io.StringIO()
    configure("api", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.raiseExceptions = before


def test_a_line_has_the_fields_of_the_contract(lines: Lines) -> None:
    tenant, turn = uuid.uuid4(), uuid.uuid4()
    before_ms = time.time() * 1000
    with bind(request_id=f"req_{turn}", tenant_id=tenant, task_id="task-1"):
        log.info("webhook stored", extra={"event": "received", "turnId": turn, "count": 3})
    (line,) = lines()
    assert before_ms - 1 <= line.pop("time") <= time.time() * 1000
    assert line == {
        "level": "info",
        "msg": "webhook stored",
        "service": "api",
        "logger": "app.test_lines",
        "requestId": f"req_{turn}",
        "tenantId": str(tenant),
        "taskId": "task-1",
        "event": "received",
        "turnId": str(turn),
        "count": 3,
    }


def test_unknown_fields_lose_their_value_and_keep_their_name(lines: Lines) -> None:
    log.info("stored", extra={"body": "can you deliver", "status": {"text": "hello"}, "attempt": 1})
    (line,) = lines()
    assert line["droppedFields"] == ["body", "status"]
    assert line["attempt"] == 1
    assert "deliver" not in json.dumps(line)
    assert "hello" not in json.dumps(line)


def test_sentences_in_a_field_are_withheld(lines: Lines) -> None:
    log.warning("refused", extra={"reason": "can you deliver today", "error": "rate_limited"})
    (line,) = lines()
    assert line["reason"] == "[withheld]"
    assert line["error"] == "rate_limited"


def test_arguments_of_a_message_are_left_out_unless_they_are_numbers(lines: Lines) -> None:
    logging.getLogger("lib.server").info("Listening on %s://%s:%d", "http", "1.2.3.4", 80)
    logging.getLogger("lib").warning("task %(name)s took %(s)0.2f", {"name": "hello", "s": 1.5})
    logging.getLogger("lib").warning("broken %d", "text")
    assert [line["msg"] for line in lines()] == [
        "Listening on …://…:80",
        "task … took 1.50",
        "broken %d",
    ]


def test_exceptions_are_told_without_their_texts(lines: Lines) -> None:
    customer_text = "my secret order"

    def parse(text: str) -> None:
        raise ValueError(f"cannot parse {text}")

    try:
        try:
            parse(customer_text)
        except ValueError as error:
            raise ProviderError("llm", customer_text, status_code=429) from error
    except ProviderError:
        log.exception("turn failed")
    (line,) = lines()
    assert line["errorType"] == "app.core.errors.ProviderError"
    assert "code=provider status_code=429" in line["stack"]
    assert "in parse\nValueError: [withheld]" in line["stack"]
    assert customer_text not in json.dumps(line)


def test_an_error_keeps_the_ids_bound_where_it_was_raised(lines: Lines) -> None:
    async def turn(tenant: str) -> None:
        with bind(tenant_id=tenant):
            await asyncio.sleep(0)
            log.info("working")
            raise RuntimeError

    async def main() -> list[BaseException | None]:
        return list(await asyncio.gather(turn("t-one"), turn("t-two"), return_exceptions=True))

    for error in asyncio.run(main()):
        log.error("failed", exc_info=error)
    assert [line.get("tenantId") for line in lines()] == ["t-one", "t-two", "t-one", "t-two"]
    log.info("after")
    assert "tenantId" not in lines()[-1]


def test_warnings_are_told_by_place_and_kind(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("about my secret order", UserWarning, stacklevel=1)
    (line,) = lines()
    assert line["msg"].startswith("warning UserWarning at ")
    assert "test_lines.py" in line["msg"]
    assert "order" not in json.dumps(line)


def test_asyncios_report_of_a_lost_task_quotes_nothing(lines: Lines) -> None:
    async def main() -> None:
        async def lost() -> None:
            raise ValueError("my secret order")

        task = asyncio.create_task(lost())
        await asyncio.wait([task])
        del task

    asyncio.run(main())
    gc.collect()  # which may find other tests' leavings, too
    (line,) = [line for line in lines() if line["logger"] == "asyncio"]
    assert line["msg"] == "Task exception was never retrieved"
    assert "order" not in json.dumps(line)


def test_library_handlers_are_replaced(lines: Lines) -> None:
    library = logging.getLogger("uvicorn.error")
    own = io.StringIO()
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False
    stream = io.StringIO()
    configure("api", "WARNING", stream)
    library.warning("once")
    assert own.getvalue() == ""
    assert json.loads(stream.getvalue())["msg"] == "once"
    log.info("below the level")
    assert len(stream.getvalue().splitlines()) == 1
    assert lines() == []


def test_what_cannot_be_formatted_prints_nothing_to_stderr(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("my secret order")

    log.warning("odd", extra={"reason": Hostile(), "error": "\ud800"})
    with suppress(IndexError):
        assert "order" not in json.dumps(lines()[0])
    assert "order" not in capsys.readouterr().err


def test_a_disabled_line_is_free_and_a_written_one_cheap(lines: Lines) -> None:
    def best_us(write: Callable[[], None]) -> float:
        best = float("inf")
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(300):
                write()
            best = min(best, (time.perf_counter() - start) / 300 * 1e6)
        return best

    with bind(request_id="req_1", tenant_id=uuid.uuid4()):
        written = best_us(lambda: log.info("settled", extra={"turnId": "a", "durationMs": 1}))
        disabled = best_us(lambda: log.debug("settled", extra={"turnId": "a", "durationMs": 1}))
    assert disabled < 2
    assert written < 100  # about 20 on an idle machine
    assert lines()


def test_logging_needs_neither_sentry_nor_a_web_framework() -> None:
    code = (
        "import sys, app.core.logging, app.core.redis, app.core.limits.limiter,"
        " app.core.observability.sentry as s\n"
        "from app.core.config import Settings\n"
        "assert s.init_sentry(Settings(), 'api') is False\n"
        "s.capture(ValueError()); s.flush(); s.close_sentry()\n"
        "print([m for m in ('sentry_sdk', 'litestar', 'celery', 'redis', 'upstash_redis',"
        " 'httpx', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lines_of_one_kind_look_like_records(lines: Lines) -> None:
    tenant, channel = uuid.uuid4(), uuid.uuid4()
    given = ("req_01890a5d-ac96-774b-bcce-b302099a8057", "from-a-proxy-4915112345678")
    common: dict[str, Any] = {"webhook": "waha", "event": "received"}
    own = {"outcome": "two words", "channelId": channel}
    write_lines(
        log, "webhook stored", [Line(r, tenant, tuple(own.items())) for r in given], extra=common
    )
    for rid in given:
        with bind(request_id=rid, tenant_id=tenant):
            log.info("webhook stored", extra={**common, **own})
    found = lines()
    for line in found:
        assert abs(line.pop("time") / 1000 - time.time()) < 60
    assert found[:2] == found[2:]
    assert found[1]["requestId"] == "from-a-proxy-[phone]"
    assert found[0]["outcome"] == "[withheld]"


def test_lines_of_one_kind_keep_to_the_fields_and_the_level(lines: Lines) -> None:
    line = Line("req_1", uuid.uuid4(), (("body", "my secret order"), ("count", 2)))
    write_lines(log, "stored", [line], extra={"text": "my secret order"})
    log.setLevel(logging.WARNING)
    write_lines(log, "unheard", [line], extra={})
    log.setLevel(logging.NOTSET)
    (found,) = lines()
    assert found["count"] == 2
    assert "secret" not in json.dumps(found)


def test_somebody_elses_handler_gets_records(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().addHandler(caplog.handler)
    write_lines(log, "stored", [Line("req_1", uuid.uuid4(), (("count", 2),))], extra={"kind": "x"})
    assert [record.__dict__["count"] for record in caplog.records] == [2]
    assert [(line["requestId"], line["kind"]) for line in lines()] == [("req_1", "x")]


def test_a_stream_that_is_gone_fails_nobody(lines: Lines) -> None:
    gone = io.StringIO()
    configure("api", "INFO", gone)
    gone.close()
    write_lines(log, "stored", [Line("req_1", uuid.uuid4())], extra={})
