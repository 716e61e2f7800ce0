"""Prometheus metrics of one process: what is counted and measured, in base units.

Labels are closed sets of words, never ids: a tenant or a phone number as a label would make
a series of each and put it into a system that keeps it for months.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry(auto_describe=True)
"""Our own registry: libraries that use the global one do not add to ours."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)

WEBHOOKS = Counter(
    "parley_webhooks_total",
    "Webhook requests by provider and outcome (accepted, duplicate, ignored, or the code of the "
    "refusal, e.g. invalid_signature, unknown_channel, too_large, rate_limit, unavailable).",
    ("provider", "outcome"),
    registry=REGISTRY,
)
INGEST_BATCH = Histogram(
    "parley_ingest_batch_events",
    "Webhook events that shared one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    registry=REGISTRY,
)
INGEST_COMMIT = Histogram(
    "parley_ingest_commit_seconds",
    "Statement and commit of one batch of webhook events.",
    buckets=_FAST_S,
    registry=REGISTRY,
)
TURNS = Counter(
    "parley_turns_total",
    "Turns that ended, by end state (done, superseded, cancelled, failed).",
    ("state",),
    registry=REGISTRY,
)
MODEL = Histogram(
    "parley_model_seconds",
    "Calls to the language model by outcome (ok, error).",
    ("outcome",),
    buckets=_SLOW_S,
    registry=REGISTRY,
)
SENDS = Counter(
    "parley_sends_total",
    "Parts of replies, by outcome (accepted, failed, unknown, retried, proved_late).",
    ("provider", "outcome"),
    registry=REGISTRY,
)
SEND = Histogram(
    "parley_send_seconds",
    "Calls that hand a part to a provider.",
    ("provider",),
    buckets=_SLOW_S,
    registry=REGISTRY,
)
LIMITER_FALLBACKS = Counter(
    "parley_limiter_fallbacks_total",
    "Decisions made in this process because the limit store was away, by rule.",
    ("fallback",),
    registry=REGISTRY,
)
LIMITER_STORE_ERRORS = Counter(
    "parley_limiter_store_errors_total",
    "Failed calls to the limit store by error code.",
    ("code",),
    registry=REGISTRY,
)
LIMITER_CIRCUIT_OPEN = Gauge(
    "parley_limiter_circuit_open",
    "1 while the limit store is left alone after repeated failures.",
    registry=REGISTRY,
)


def render() -> tuple[bytes, str]:
    """Return the exposition of this process's metrics and its ``Content-Type``."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
