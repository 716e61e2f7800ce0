"""Upstash Redis over REST: single commands, pipelines and transactions on a real Redis."""

import itertools
import secrets
from typing import Any
from urllib.parse import unquote

import msgspec

from simulator.http import HttpError, Request, Response, json_response
from simulator.upstash.commands import (
    BadCommandError,
    ScriptNames,
    parse_command,
    resp2,
    result_object,
)
from simulator.upstash.resp import (
    Command,
    RedisAddress,
    RedisConnection,
    RedisError,
    RedisUnreachableError,
    Reply,
)

TOKEN = "simulator"  # noqa: S105 - the simulator's well-known token
REQUEST_BYTES_MAX = 10 * 1024 * 1024
_SYNC = "upstash-sync-token"


class Upstash:
    """Answers `/`, `/pipeline`, `/multi-exec` and commands as paths."""

    def __init__(self, redis_url: str | None) -> None:
        self._redis = RedisConnection(RedisAddress.parse(redis_url)) if redis_url else None
        self._scripts = ScriptNames()
        self._writes = itertools.count(1)

    async def handle(self, request: Request) -> Response:
        """Answer one call, errors as `{"error": …}`."""
        try:
            response = await self._answer(request)
        except HttpError as error:
            response = error.response()
        except BadCommandError as error:
            response = _failure(400, str(error))
        except RedisUnreachableError as error:
            response = _failure(500, f"ERR the database is unreachable: {error}")
        response.headers.append((_SYNC, f"simulator;{next(self._writes)}"))
        return response

    async def close(self) -> None:
        """Close the connection to Redis."""
        if self._redis:
            await self._redis.close()

    async def _answer(self, request: Request) -> Response:
        if request.method not in {"GET", "POST", "HEAD", "PUT"}:
            raise HttpError(405, {"error": "ERR method not allowed"})
        token = request.bearer() or request.query.get("_token")
        if not token or not secrets.compare_digest(token, TOKEN):
            raise HttpError(401, {"error": "WRONGPASS invalid or missing auth token"})
        if len(request.body) > REQUEST_BYTES_MAX:
            raise BadCommandError("ERR max request size exceeded")
        encoded = request.headers.get("upstash-encoding") == "base64"
        path = request.path.rstrip("/")
        if path == "/pipeline":
            return json_response(await self._pipeline(_commands(request), encoded=encoded))
        if path == "/multi-exec":
            return await self._transaction(_commands(request), encoded=encoded)
        command = parse_command(_json(request)) if not path else _path_command(request)
        reply = (await self._run([command]))[0]
        raw = request.headers.get("upstash-response-format") == "resp2" and not encoded
        status = 400 if isinstance(reply, RedisError) else 200
        if raw:
            return Response(
                status=status, body=resp2(reply), headers=[("content-type", "text/plain")]
            )
        return json_response(result_object(reply, encoded=encoded), status=status)

    async def _pipeline(self, commands: list[Any], *, encoded: bool) -> list[dict[str, Any]]:
        """Each command by itself: one that fails does not stop the others."""
        results: list[dict[str, Any]] = [{} for _ in commands]
        good: list[tuple[int, Command]] = []
        for place, value in enumerate(commands):
            try:
                good.append((place, parse_command(value)))
            except BadCommandError as error:
                results[place] = {"error": str(error)}
        replies = await self._run([command for _, command in good])
        for (place, _), reply in zip(good, replies, strict=True):
            results[place] = result_object(reply, encoded=encoded)
        return results

    async def _transaction(self, commands: list[Any], *, encoded: bool) -> Response:
        """All commands or none: a refused one discards the whole."""
        parsed = [parse_command(value) for value in commands]
        replies = await self._run([[b"MULTI"], *parsed, [b"EXEC"]])
        outcome = replies[-1]
        if isinstance(outcome, RedisError):
            refused = next((r for r in replies[1:-1] if isinstance(r, RedisError)), outcome)
            return _failure(400, refused.message)
        if outcome is None:
            return _failure(400, "EXECABORT Transaction discarded")
        shown = [
            self._scripts.incoming(command, reply)
            for command, reply in zip(parsed, outcome, strict=True)
        ]
        return json_response([result_object(reply, encoded=encoded) for reply in shown])

    async def _run(self, commands: list[Command]) -> list[Reply]:
        if self._redis is None:
            raise RedisUnreachableError("the simulator was started without --redis-url")
        if not commands:
            return []
        replies = await self._redis.run([self._scripts.outgoing(c) for c in commands])
        return [
            self._scripts.incoming(command, reply)
            for command, reply in zip(commands, replies, strict=True)
        ]


def _failure(status: int, message: str) -> Response:
    return json_response({"error": message}, status=status)


def _json(request: Request) -> Any:
    try:
        return request.json()
    except msgspec.DecodeError as exc:
        raise BadCommandError("ERR failed to parse command") from exc


def _commands(request: Request) -> list[Any]:
    commands = _json(request)
    if not isinstance(commands, list):
        raise BadCommandError("ERR failed to parse pipeline request")
    return commands


def _path_command(request: Request) -> Command:
    """`/set/key` with the body as the last argument and the query as further ones."""
    parts: list[Any] = [unquote(part) for part in request.path.strip("/").split("/")]
    if request.body:
        parts.append(request.body.decode(errors="replace"))
    for name, value in request.query.items():
        if name != "_token":
            parts += [name, value] if value else [name]
    return parse_command(parts)
