"""WAHA's error answers, word for word where integrations look at the words."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator.http import HttpError, Request
from simulator.waha.sessions import Session


class BadInputError(Exception):
    """Input that WAHA refuses with 400; the text is the message."""


def nest(status: int, message: str | list[str], error: str) -> dict[str, Any]:
    """An error of WAHA's web framework."""
    return {"message": message, "error": error, "statusCode": status}


def bad_request(message: str) -> dict[str, Any]:
    """The body of a 400."""
    return nest(400, message, "Bad Request")


def unprocessable(message: str) -> HttpError:
    """A 422 with a message."""
    return HttpError(422, nest(422, message, "Unprocessable Entity"))


def not_found(request: Request) -> HttpError:
    """An unknown route."""
    return HttpError(404, nest(404, f"Cannot {request.method} {request.path}", "Not Found"))


def session_missing(name: str) -> dict[str, Any]:
    """A session that does not exist or does not run; no status code in the body."""
    return {"error": f'Session "{name}" does not exist', "session": name}


def wrong_status(session: Session, expected: str) -> dict[str, Any]:
    """A session that runs, but not in the expected status; no status code in the body."""
    return {
        "error": "Session status is not as expected. Try again later or restart the session",
        "session": session.name,
        "status": session.status,
        "expected": [expected],
    }


def engine_failure(request: Request, error: BaseException, version: str) -> dict[str, Any]:
    """A crash inside the engine: WAHA echoes the whole request, message text included."""
    try:
        body = msgspec.json.decode(request.body) if request.body else {}
    except msgspec.DecodeError:
        body = {}
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = f"Cannot read properties of undefined (reading {error})"
    return {
        "statusCode": 500,
        "timestamp": moment,
        "exception": {
            "message": message,
            "name": "TypeError",
            "stack": f"TypeError: {message}\n    at WhatsappSession (session.js)",
        },
        "request": {
            "path": request.path,
            "method": request.method,
            "body": body,
            "query": request.query,
        },
        "version": {"version": version},
    }


def json_object(request: Request) -> dict[str, Any]:
    """The body as an object.

    Raises:
        BadInputError: the body is no JSON object.
    """
    try:
        value = request.json()
    except msgspec.DecodeError as exc:
        raise BadInputError(f"{exc} in JSON") from exc
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInputError("The body must be a JSON object")
    return value
