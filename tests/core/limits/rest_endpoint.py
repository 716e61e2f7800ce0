"""Upstash's REST protocol over a real Redis: single commands and /pipeline, base64, bearer."""

import base64
import hashlib
from typing import Any

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

TOKEN = "endpoint-token"


class RestEndpoint:
    """Serves one Redis at ``url``; remembers each request for assertions."""

    def __init__(self, redis_url: str) -> None:
        self.redis: Any = Redis.from_url(redis_url, protocol=2)
        self.requests: list[tuple[str, list[Any], dict[str, str]]] = []
        self.url = ""
        self._upstream_sha: dict[str, str] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> "RestEndpoint":
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        await self.redis.aclose()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append((request.path, body, dict(request.headers)))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            error = {"error": "WRONGPASS invalid or missing auth token"}
            return web.json_response(error, status=401)
        if request.path == "/pipeline":
            return web.json_response([await self._run(command) for command in body])
        answer = await self._run(body)
        return web.json_response(answer, status=400 if "error" in answer else 200)

    async def _run(self, command: list[Any]) -> dict[str, Any]:
        try:
            return {"result": _encoded(await self._execute(command))}
        except RedisError as error:
            text = str(error)
            # redis-py takes the first word away when it names a kind of error it knows.
            return {"error": f"NOSCRIPT {text}" if "matching script" in text else f"ERR {text}"}

    async def _execute(self, command: list[Any]) -> Any:
        # Upstash understands the shebang line, Redis 6.2 does not: taken off here, and the
        # client's hash of the whole text mapped to the hash Redis knows.
        name, *rest = command
        if name == "EVAL":
            text = rest[0]
            assert text.startswith("#!lua flags=allow-key-locking\n")
            plain = text.split("\n", 1)[1]
            self._upstream_sha[_sha(text)] = _sha(plain)
            return await self.redis.execute_command("EVAL", plain, *rest[1:])
        if name == "EVALSHA":
            sha = self._upstream_sha.get(rest[0], rest[0])
            return await self.redis.execute_command("EVALSHA", sha, *rest[1:])
        return await self.redis.execute_command(*command)


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _encoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_encoded(v) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
