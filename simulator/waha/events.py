"""WAHA events: the envelope around a payload, and who gets it."""

from typing import Any

import msgspec

from simulator.clock import now_ms
from simulator.ids import event_id as new_event_id
from simulator.settings import Settings
from simulator.waha.engine import Engine
from simulator.waha.sessions import Session
from simulator.waha.webhooks import WebhookSender, WebhookTarget

# Chat kinds that `config.ignore` can silence at the source.
_IGNORABLE = {
    "g.us": "groups",
    "newsletter": "channels",
    "broadcast": "broadcast",
}


def ignored_kind(chat_id: str) -> str | None:
    """The switch in `config.ignore` that silences a chat; None for direct chats."""
    if chat_id == "status@broadcast":
        return "status"
    return _IGNORABLE.get(chat_id.rpartition("@")[2])


class EventEmitter:
    """Wraps payloads into events and hands them to every webhook that wants them."""

    def __init__(self, settings: Settings, engine: Engine, sender: WebhookSender) -> None:
        self._engine = engine
        self._sender = sender
        self._global: WebhookTarget | None = None
        if settings.webhook_url:
            self._global = WebhookTarget(
                url=settings.webhook_url,
                events=frozenset(settings.webhook_events),
                hmac_key=settings.webhook_hmac_key,
            )

    def emit(
        self,
        session: Session,
        event: str,
        payload: dict[str, Any],
        *,
        event_id: str | None = None,
        chat_id: str = "",
        copies: int = 1,
    ) -> str:
        """Send one event; returns its id.

        The id, the timestamp and the bytes are the same for every webhook and for every copy;
        each delivery has its own request id.
        """
        event_id = event_id or new_event_id()
        config = session.config or {}
        kind = ignored_kind(chat_id)
        if kind and (config.get("ignore") or {}).get(kind):
            return event_id
        targets = [t for t in self._targets(config) if t.wants(event)]
        if not targets:
            return event_id
        timestamp_ms = now_ms()
        body = msgspec.json.encode(
            self._envelope(session, event, payload, event_id=event_id, timestamp_ms=timestamp_ms)
        )
        for target in targets * copies:
            self._sender.send(
                target,
                event=event,
                event_id=event_id,
                session=session.name,
                body=body,
                version=self._engine.version,
                timestamp_ms=timestamp_ms,
            )
        return event_id

    def session_status(self, session: Session) -> None:
        """Tell a session's status."""
        self.emit(session, "session.status", session.status_payload())

    def _targets(self, config: dict[str, Any]) -> list[WebhookTarget]:
        targets = [WebhookTarget.from_config(one) for one in config.get("webhooks") or ()]
        return [self._global, *targets] if self._global else targets

    def _envelope(
        self,
        session: Session,
        event: str,
        payload: dict[str, Any],
        *,
        event_id: str,
        timestamp_ms: int,
    ) -> dict[str, Any]:
        envelope: dict[str, Any] = {
            "id": event_id,
            "timestamp": timestamp_ms,
            "event": event,
            "session": session.name,
        }
        metadata = (session.config or {}).get("metadata")
        if metadata is not None:
            envelope["metadata"] = metadata
        return envelope | {
            "me": session.me,
            "payload": payload,
            "engine": self._engine.name,
            "environment": self._engine.environment(),
        }
