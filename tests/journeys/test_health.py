"""Health, readiness and metrics of the running API, in good times and in bad."""

import datetime as dt
import signal
from typing import Any

import pytest

from app.cli.checks.deployment import deployment_findings
from tests.journeys.stack import Journey

SERVICES = {"database", "redis", "queue", "waha", "llm", "email", "sentry"}


def health(journey: Journey) -> tuple[int, dict[str, Any]]:
    answer = journey.get("/api/health")
    return answer.status, answer.json()


def test_health_tells_what_works(journey: Journey):
    status, body = journey.until(
        lambda: (h := health(journey))[1]["status"] == "healthy" and h, "the product is healthy"
    )
    assert status == 200
    assert set(body) >= {"status", "service", "version", "uptime", "timestamp", "services"}
    assert set(body["services"]) == SERVICES
    assert body["checks"] == {"database": True, "redis": True}
    assert body["uptime"] > 0
    assert dt.datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert body["services"]["database"]["responseTime"] >= 0
    queue = body["services"]["queue"]
    assert queue["workers"] >= 1
    assert queue["lagSeconds"] >= 0


@pytest.mark.parametrize(("path", "alias"), [("/api/health", "/health"), ("/readyz", "/ready")])
def test_aliases_answer_the_same(journey: Journey, path: str, alias: str):
    one, other = journey.get(path), journey.get(alias)
    assert one.status == other.status == 200
    assert set(one.json()) == set(other.json())


def test_a_smoke_test_from_outside(journey: Journey):
    found = {finding.name: finding for finding in deployment_findings(f"{journey.api_url}/")}
    assert {name for name, finding in found.items() if finding.state != "ok"} <= {"health"}
    assert found["unknown webhook"].detail == "refused with 404"


def test_the_process_says_that_it_is_alive(journey: Journey):
    assert journey.get("/healthz").json() == {"status": "alive"}


def test_readiness_names_its_checks(journey: Journey):
    body = journey.get("/readyz").json()
    assert body == {"status": "ready", "checks": {"database": True, "migrated": True}}


def test_metrics_for_machines(journey: Journey):
    answer = journey.get("/metrics")
    assert answer.status == 200
    text = answer.body.decode()
    assert "# TYPE parley_active_accounts gauge" in text
    assert "# TYPE parley_outbox_lag_s gauge" in text
    figures = journey.get("/metrics-json").json()
    assert set(figures) == {
        "activeAccounts",
        "queuedCount",
        "processingCount",
        "sentLast5m",
        "failedLast5m",
        "reconnectCount",
        "outboxLagSeconds",
    }
    assert figures["activeAccounts"] >= 1


def test_without_redis_the_product_is_degraded_and_still_accepts(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.kill("redis")
    status, body = health(journey)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"] == {"database": True, "redis": False}
    assert journey.get("/readyz").status == 200
    assert journey.deliver(shop, journey.delivery(shop, phone, "Redis is away")) == 200
    assert journey.wait_replies(phone) == ["Redis is away"]


def test_without_a_worker_the_product_is_degraded_and_still_accepts(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    assert journey.signal("worker", signal.SIGTERM) == 0
    status, body = health(journey)
    assert (status, body["status"]) == (200, "degraded")
    assert body["services"]["queue"]["workers"] == 0
    assert journey.deliver(shop, journey.delivery(shop, phone, "No worker here")) == 200
    assert journey.wait_replies(phone) == ["No worker here"]


def test_without_the_database_nothing_is_accepted_and_nothing_is_lost(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    delivery = journey.delivery(shop, phone, "The database is away")
    journey.kill("postgres")
    status, body = health(journey)
    assert (status, body["status"]) == (503, "unhealthy")
    assert journey.get("/readyz").status == 503
    assert journey.get("/healthz").status == 200
    assert journey.deliver(shop, delivery) == 503
    journey.settle()
    assert journey.deliver(shop, delivery) == 200
    assert journey.wait_replies(phone) == ["The database is away"]
