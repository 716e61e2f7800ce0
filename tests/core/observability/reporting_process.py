"""A process that fails in every way at once, with sentinels in all places that could leak.

Run as ``python -m tests.core.observability.reporting_process DSN CASE``; it reports to DSN.
"""

import asyncio
import logging
import sys
import threading
from typing import Any

import sentry_sdk

from app.core.config import Settings
from app.core.errors import ProviderError, UnavailableError
from app.core.logging import bind, configure
from app.core.observability.sentry import capture, flush, init_sentry

PHONE = "4915112345678"
TEXT = "zwei Pizzen bitte"
SECRET = "whsec_QmFzZTY0U2VjcmV0"
EMAIL = "anna@example.org"
SENTINEL = f"{PHONE} {TEXT} {SECRET} {EMAIL}"

log = logging.getLogger("app.reporting_process")


class CustomerTextError(Exception):
    pass


def fail(body: str, headers: dict[str, str]) -> None:
    text, authorization = body, headers["Authorization"]
    try:
        headers[f"{text} {authorization}"]
    except KeyError as error:
        raise CustomerTextError(SENTINEL) from error


def failure() -> Exception:
    try:
        fail(SENTINEL, {"Authorization": f"Bearer {SECRET}", "chatId": f"{PHONE}@c.us"})
    except CustomerTextError as error:
        error.add_note(SENTINEL)
        return error
    raise AssertionError


def plant_in_scope() -> None:
    scope = sentry_sdk.get_isolation_scope()
    scope.set_extra("body", SENTINEL)
    scope.set_extra("anything", {"nested": [SENTINEL]})
    scope.set_context("request body", {"text": SENTINEL})
    scope.set_user({"email": EMAIL, "username": TEXT, "ip_address": "203.0.113.9"})
    scope.set_tag("customer", SENTINEL)
    scope.set_transaction_name("reply")
    sentry_sdk.add_breadcrumb(category="http", message=SENTINEL, data={"url": SENTINEL})
    scope.add_event_processor(with_request)


def with_request(event: Any, _hint: object) -> Any:
    event["request"] = {
        "url": f"https://x/webhooks?phone={PHONE}",
        "query_string": f"chatId={PHONE}",
        "data": {"payload": {"body": SENTINEL}},
        "headers": {"X-Api-Key": SECRET, "X-Sender": SENTINEL},
        "cookies": {"a": SECRET},
    }
    return event


def captured() -> None:
    plant_in_scope()
    with bind(tenant_id="tenant-7", request_id="req_7"):
        capture(failure())


def explicit_ids() -> None:
    with bind(tenant_id="tenant-outer"):
        capture(failure(), tenant_id="tenant-9", request_id="req_9")


def logged() -> None:
    plant_in_scope()
    with bind(tenant_id="tenant-8", request_id="req_8"):
        # A text built at run time breaks the rule (ruff G003); the mask is what is left then.
        log.error(f"no exception here: {PHONE} {SECRET} {EMAIL}")  # noqa: G004
        try:
            fail(SENTINEL, {"Authorization": SECRET})
        except CustomerTextError:
            log.exception("turn failed", extra={"body": SENTINEL})
            logging.getLogger("library").exception("%s", SENTINEL)


def give_up() -> None:
    raise ProviderError("waha", SENTINEL, status_code=503)


def expected() -> None:
    capture(UnavailableError(SENTINEL))
    try:
        give_up()
    except ProviderError:
        log.exception("will be tried again")


def final() -> None:
    capture(ProviderError("llm", SENTINEL, status_code=503), final=True, tenant_id="tenant-f")


def side_by_side() -> None:
    async def turn(tenant: str) -> None:
        with bind(tenant_id=tenant):
            await asyncio.sleep(0.01)
            capture(RuntimeError(tenant))

    async def main() -> None:
        await asyncio.gather(*(turn(f"tenant-{i}") for i in range(3)))

    asyncio.run(main())


def escaped() -> None:
    """Leave the block that bound the ids, and be reported further out."""

    def work() -> None:
        with bind(tenant_id="tenant-e", request_id="req_e"):
            raise failure()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def uncaught() -> None:
    plant_in_scope()
    with bind(tenant_id="tenant-u"):
        raise failure()


def task() -> None:
    from celery import Celery

    queue = Celery("tests", broker="memory://", set_as_current=False)

    @queue.task(name="reply.drain")  # type: ignore[untyped-decorator]
    def drain(*_args: str, **_kwargs: str) -> None:
        with bind(tenant_id="tenant-c"):
            raise failure()

    drain.apply(args=[SENTINEL], kwargs={"anything": SENTINEL})


CASES = {
    case.__name__: case
    for case in (
        captured,
        explicit_ids,
        logged,
        expected,
        final,
        side_by_side,
        escaped,
        uncaught,
        task,
    )
}

if __name__ == "__main__":
    configure("api", "INFO")
    assert init_sentry(Settings(sentry_dsn=sys.argv[1], environment="test"), sys.argv[3])
    assert sentry_sdk.get_client().should_send_default_pii() is False
    CASES[sys.argv[2]]()
    flush()
