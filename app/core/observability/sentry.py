"""Errors to Sentry: where and what kind, for which tenant; never a customer's words.

What leaves the process is built from an allow-list (``sentry_events``): exception classes,
frames (file, function, line), our tags. Exception texts, variables, requests, breadcrumbs'
texts, arguments and users are not on it. Expected errors (retries, a provider that is down)
are not sent at all. ``sentry_sdk`` is imported only when a DSN is set.
"""

import logging
import warnings
from typing import Any, cast
from uuid import UUID

from app.core.config import Settings
from app.core.errors import ExpectedError
from app.core.observability.sentry_events import FINAL_TAG, before_breadcrumb, before_send, drop

# A process must end within a second of SIGTERM, also when Sentry does not answer.
_FLUSH_TIMEOUT_S = 0.3

_DENYLIST_OURS = [
    "phone",
    "chatid",
    "chat_id",
    "from",
    "to",
    "body",
    "text",
    "caption",
    "message",
    "payload",
    "raw",
    "reply",
    "prompt",
    "messages",
    "content",
    "args",
    "kwargs",
    "argsrepr",
    "kwargsrepr",
    "email",
    "name",
    "pushname",
    "dsn",
    "database_url",
    "redis_url",
]

_active = False


def init_sentry(settings: Settings, service: str) -> bool:
    """Start reporting for this process; False, and nothing imported, without ``SENTRY_DSN``.

    Tasks' exceptions are reported by Sentry's Celery integration when ``service`` is
    ``worker``; everything else by ``capture``, by error logs with an exception, and by the
    hooks for what nobody caught. No other integration runs: they copy requests, queries,
    prompts and URLs.
    """
    global _active
    if not settings.sentry_dsn:
        return False
    import sentry_sdk
    from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

    with warnings.catch_warnings():
        # The option is deprecated for one that would switch the scrubber off; given all the
        # same, so that no later default turns personal data on.
        warnings.filterwarnings("ignore", ".*send_default_pii", DeprecationWarning)
        sentry_sdk.init(
            dsn=settings.sentry_dsn,
            environment=settings.environment,
            server_name=service,
            send_default_pii=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            event_scrubber=EventScrubber(
                recursive=True, denylist=[*DEFAULT_DENYLIST, *_DENYLIST_OURS]
            ),
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=_integrations(service),
            before_send=cast("Any", before_send),
            before_breadcrumb=before_breadcrumb,
            before_send_transaction=drop,
            traces_sample_rate=None,
            propagate_traces=False,
            trace_propagation_targets=[],
            auto_session_tracking=False,
            send_client_reports=False,
            enable_logs=False,
            enable_metrics=False,
            shutdown_timeout=_FLUSH_TIMEOUT_S,
        )
    sentry_sdk.get_global_scope().set_tag("service", service)
    _active = True
    return True


def capture(
    error: BaseException,
    *,
    tenant_id: UUID | str | None = None,
    request_id: str | None = None,
    final: bool = False,
) -> None:
    """Report an exception, unless it is an expected one; does nothing without a DSN.

    Args:
        error: what happened; its text is not sent.
        tenant_id: default: bound where the exception was raised, else bound here.
        request_id: the same.
        final: no retry follows (a turn's final failure): expected errors are reported too.
    """
    if not _active or (isinstance(error, ExpectedError) and not final):
        return
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        if tenant_id is not None:
            scope.set_tag("tenant_id", str(tenant_id))
        if request_id is not None:
            scope.set_tag("request_id", request_id)
        if final:
            scope.set_tag(FINAL_TAG, "true")
        sentry_sdk.capture_exception(error)


def flush(timeout_s: float = _FLUSH_TIMEOUT_S) -> None:
    """Wait until what was reported is on its way; call it before a process exits."""
    if not _active:
        return
    import sentry_sdk

    sentry_sdk.flush(timeout=timeout_s)


def close_sentry(timeout_s: float = _FLUSH_TIMEOUT_S) -> None:
    """Send what waits and stop reporting."""
    global _active
    if not _active:
        return
    import sentry_sdk

    _active = False
    sentry_sdk.get_client().close(timeout=timeout_s)


def _integrations(service: str) -> list[Any]:
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    found: list[Any] = [
        AtexitIntegration(callback=lambda _pending, _timeout: None),
        DedupeIntegration(),
        ExcepthookIntegration(),
        LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
        ThreadingIntegration(propagate_scope=False),
    ]
    if service == "worker":
        from sentry_sdk.integrations.celery import CeleryIntegration

        found.append(CeleryIntegration(propagate_traces=False, monitor_beat_tasks=False))
    return found
