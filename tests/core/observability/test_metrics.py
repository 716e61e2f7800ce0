from app.core.observability import metrics


def test_the_exposition_has_our_names_in_base_units() -> None:
    metrics.WEBHOOKS.labels("waha", "accepted").inc()
    metrics.INGEST_COMMIT.observe(0.004)
    body, content_type = metrics.render()
    text = body.decode()
    assert content_type.startswith("text/plain")
    assert 'parley_webhooks_total{outcome="accepted",provider="waha"}' in text
    assert "parley_ingest_commit_seconds_bucket" in text
    ours = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP parley")}
    assert {
        "parley_ingest_batch_events",
        "parley_limiter_fallbacks_total",
        "parley_model_seconds",
        "parley_sends_total",
        "parley_turns_total",
    } <= ours


def test_no_label_can_hold_an_id() -> None:
    labels = {
        label
        for collector in vars(metrics).values()
        for label in getattr(collector, "_labelnames", ())
    }
    assert labels == {"provider", "outcome", "state", "fallback", "code"}
