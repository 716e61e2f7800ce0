"""Blocking HTTP with JSON for start-up and checks; the product's own clients are elsewhere."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
BODY_LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers (names in lower case) of one response."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON; `ValueError` when it is something else."""
        return json.loads(self.body)


def request(
    method: str,
    url: str,
    *,
    payload: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """One request, no redirect followed. `payload` is sent as JSON, `body` as it is.

    Raises `OSError` when the server cannot be reached in time or breaks off.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    fields = dict(headers or {})
    if payload is not None:
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    if body is not None:
        fields.setdefault("Content-Type", "application/json")
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body, headers=fields)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read(BODY_LIMIT_BYTES), named)
    except http.client.HTTPException as error:
        raise ConnectionError(f"{parts.netloc} broke off: {type(error).__name__}") from error
    finally:
        connection.close()
