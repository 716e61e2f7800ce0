"""The ASGI application: finds the service, records the call, lets faults happen, answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from simulator.control.routes import Control
from simulator.faults import Fault
from simulator.http import Request, Response, json_response, parse_query
from simulator.pages.routes import Pages
from simulator.server import TRANSPORT
from simulator.world import World

BODY_BYTES_MAX = 64 * 1024 * 1024
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = logging.getLogger("simulator")


class _ClientGoneError(Exception):
    """The caller closed the connection before its request was complete."""


class Simulator:
    """One ASGI application for all services, the control and the pages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._control = Control(world)
        self._pages = Pages(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except _ClientGoneError:
            return
        except asyncio.CancelledError:
            # The process is ending: the caller sees its connection close.
            _transport(scope).close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        body = await _body(receive)
        if body is None:
            too_large = {"message": "request entity too large", "statusCode": 413}
            await _respond(send, json_response(too_large, status=413), receive)
            return
        request = Request(
            method=scope["method"],
            path=path,
            query=parse_query(scope["query_string"]),
            headers={n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]},
            body=body,
        )
        located = self.world.locate(path)
        if located is None:
            await _respond(send, await self._own(request), receive)
            return
        service, request.path = located
        await self._outside(service, request, scope, receive, send)

    async def _own(self, request: Request) -> Response:
        """The control and the pages: never recorded, never failing on purpose."""
        try:
            if request.path.startswith("/_sim"):
                return await self._control.handle(request)
            return await self._pages.handle(request)
        except Exception:
            log.exception("a control or page failed")
            return json_response(
                {"error": "the simulator failed; its console says why"}, status=500
            )

    async def _outside(
        self, service: str, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        world = self.world
        call = world.calls.record(service, request, world.decoder(service))
        fault = world.faults.take(service, request.path)
        response = None
        if fault is None or (fault.status is None and fault.drop != "before"):
            response = await self._effect(service, request)
        if fault:
            response = await _with_fault(fault, response)
            if response is None:
                await _drop(scope, receive)
                return
        if response:
            call.status = response.status
            await _respond(send, response, receive)

    async def _effect(self, service: str, request: Request) -> Response:
        try:
            return await self.world.services[service](request)
        except Exception:
            log.exception("the simulated %s failed", service)
            return json_response({"message": "Internal server error"}, status=500)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.world.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.world.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _with_fault(fault: Fault, response: Response | None) -> Response | None:
    """What the caller gets: the fault's answer, the real one late, or None for no answer."""
    if fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1000)
    if fault.drop:
        return None
    return fault.response() if fault.status is not None else response


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer."""
    _transport(scope).close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
    return transport


async def _body(receive: Receive) -> bytes | None:
    """The whole body, read to its end; None when it is too large to keep."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= BODY_BYTES_MAX:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= BODY_BYTES_MAX else None


async def _respond(send: Send, response: Response, receive: Receive) -> None:
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.headers]
    if response.stream is None:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.stream is None:
        await send({"type": "http.response.body", "body": response.body})
        return
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    watch = loop.create_task(_cancel_when_gone(receive, task)) if task else None
    try:
        async for piece in response.stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if watch:
            watch.cancel()


async def _cancel_when_gone(receive: Receive, task: asyncio.Task[Any]) -> None:
    """End a stream whose reader went away; sending alone would never notice."""
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()
