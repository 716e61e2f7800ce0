"""A small S3: real HTTP, path-style, every request's signature checked, failures by script."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from aiohttp import web

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMIEXAMPLEKEY", "eu-west-1"


@dataclass
class Bucket:
    """What it holds. ``script`` says how coming requests end: a status, ``late``, or ``lost``."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    script: list[int | str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(f"{request.method} {request.raw_path}")
        if not _is_signed(request, body):
            return _error(403, "SignatureDoesNotMatch")
        wanted = self.script.pop(0) if self.script else None
        if isinstance(wanted, int):
            return _error(wanted, "AccessDenied" if wanted == 403 else "InternalError")
        if wanted == "late":
            await asyncio.sleep(3)
        response = self._do(request, body)
        if wanted == "lost":
            assert request.transport is not None
            request.transport.close()
        return response

    def _do(self, request: web.Request, body: bytes) -> web.StreamResponse:
        key = unquote(request.path)
        if request.method == "PUT":
            self.objects[key] = body
            return web.Response(headers={"ETag": '"x"'})
        if request.method == "POST" and "delete" in request.query:
            # The library deletes one file as a list of one.
            names = re.findall(r"<Key>([^<]+)</Key>", body.decode())
            for name in names:
                self.objects.pop(f"{key.rstrip('/')}/{name}", None)
            told = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            text = f"<DeleteResult>{told}</DeleteResult>"
            return web.Response(text=text, content_type="application/xml")
        if (data := self.objects.get(key)) is None:
            return _error(404, "NoSuchKey")
        headers = {"ETag": '"x"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        part = request.http_range
        if part.start is not None:
            stop = min(part.stop or len(data), len(data))
            headers["Content-Range"] = f"bytes {part.start}-{stop - 1}/{len(data)}"
            return web.Response(status=206, body=data[part.start : stop], headers=headers)
        return web.Response(body=data, headers=headers)


@asynccontextmanager
async def bucket_server() -> AsyncIterator[Bucket]:
    bucket = Bucket()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", bucket.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    bucket.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bucket
    finally:
        await runner.cleanup()


def _error(status: int, code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>secret-bucket is private</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def _is_signed(request: web.Request, body: bytes) -> bool:
    """AWS Signature Version 4, computed anew from what arrived."""
    given = request.headers.get("Authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return False
    parts = dict(part.strip().split("=", 1) for part in given.partition(" ")[2].split(","))
    scope, names = parts["Credential"].split("/", 1), parts["SignedHeaders"]
    content = request.headers["x-amz-content-sha256"]
    if content not in {hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"}:
        return False
    path, _, query = request.raw_path.partition("?")
    canonical = "\n".join(
        (
            request.method,
            quote(unquote(path), safe="/-_.~"),
            "&".join(sorted(p if "=" in p else f"{p}=" for p in query.split("&") if p)),
            "".join(f"{n}:{' '.join(request.headers[n].split())}\n" for n in names.split(";")),
            names,
            content,
        )
    )
    day, region, service, last = scope[1].split("/")
    stamp = request.headers["x-amz-date"]
    text = "\n".join(
        ("AWS4-HMAC-SHA256", stamp, scope[1], hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = f"AWS4{SECRET}".encode()
    for piece in (day, region, service, last, text):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    same = hmac.compare_digest(key.hex(), parts["Signature"])
    return same and scope[0] == KEY and region == REGION and stamp.startswith(day)
