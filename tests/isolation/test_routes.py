"""A walk over every route of the application, as everybody who must not see a business's data.

The routes come from the router, so a new one is walked the day it is written. What the walk
does not know how to call, it fails on, and says what to add.
"""

import re
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest
from litestar.routes import ASGIRoute, HTTPRoute

from app.core.config import Settings
from app.factory import create_app
from tests.isolation.callers import Callers
from tests.serving import undisturbed_logging
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio

# Plain ASGI applications: the paths below each mount, with the victim's ids as parameters.
MOUNTS = {
    "/webhooks/waha": ("/webhooks/waha/{channel_key}",),
    "/api/webhooks/whatsapp": ("/api/webhooks/whatsapp",),
    "/webhooks/stripe": ("/webhooks/stripe",),
    "/webhooks/twilio": ("/webhooks/twilio/{channel_key}",),
    "/webhook/twilio": ("/webhook/twilio",),
}
# Parameters that name no row of a tenant: a harmless value.
HARMLESS = {
    "name": "x",
    "token": "x" * 43,
    "month": "2026-11.csv",
    "file_kind": "svg",
    "number": "1",
}
# Answers of these do not depend on who asks, and hold no tenant's data.
VOLATILE = re.compile(r"req_[0-9a-f-]{36}|[0-9a-f]{80}")  # request ids, tokens of forms
# Walked last: it ends the caller's session.
LAST = {"/logout"}


@dataclass(frozen=True)
class Target:
    """One method of one path."""

    method: str
    path: str

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


def test_no_document_of_the_api_is_served() -> None:
    with undisturbed_logging():
        app = create_app(Settings())
    assert [route.path for route in app.routes if "schema" in route.path] == []


async def targets(world: World) -> list[Target]:
    with undisturbed_logging():
        app = create_app(world.settings)
        pages = await app.pages.app()  # type: ignore[attr-defined]
    found: set[Target] = set()
    for route in (*app.routes, *pages.routes):
        if isinstance(route, HTTPRoute):
            path = re.sub(r"{(\w+)(?::\w+)?}", r"{\1}", route.path)
            found |= {Target(m, path) for m in route.methods if m != "OPTIONS"}
        elif isinstance(route, ASGIRoute):
            assert route.path in MOUNTS, (
                f"{route.path} is a new mount: add the paths below it to MOUNTS in {__file__}"
            )
            found |= {Target("POST", path) for path in MOUNTS[route.path]}
    return sorted(found, key=lambda t: (t.path in LAST, t.path, t.method))


def filled(target: Target, values: dict[str, UUID | str]) -> str:
    path = target.path
    for name in target.parameters:
        value = values.get(name, HARMLESS.get(name))
        assert value is not None, (
            f"{target.path} has the parameter {name!r}: give the victim's one in"
            " tests/isolation/callers.py (ids), or a harmless one in HARMLESS"
        )
        path = path.replace(f"{{{name}}}", str(value))
    return path


def missing(values: dict[str, UUID | str]) -> dict[str, UUID | str]:
    """Ids of the same form that nobody has."""
    return {
        name: uuid4() if isinstance(value, UUID) else f"ch_{uuid4().hex}"
        for name, value in values.items()
    }


async def ask(api: Api, target: Target, path: str, headers: dict[str, str]) -> httpx.Response:
    if "text/event-stream" in headers.get("Accept", ""):
        raise AssertionError("streams are not walked")
    return await api.http.request(target.method, path, headers=headers)


def comparable(response: httpx.Response, values: dict[str, UUID | str]) -> tuple[int, str]:
    """The answer without what the caller typed, and without what no two answers share."""
    text = VOLATILE.sub("", response.text)
    for value in values.values():
        text = text.replace(str(value), "typed")
    return response.status_code, text


async def test_no_route_leaks(world: World, api: Api, callers: Callers):
    walked, leaks = 0, []
    routes = await targets(world)
    for target in routes:
        for name, headers in callers.headers.items():
            foreign = await ask(api, target, filled(target, callers.ids), headers)
            walked += 1
            body = foreign.text + str(foreign.headers)
            hidden = callers.hidden_from(name, target.path)
            leaks += [(name, target, mark) for mark in hidden if mark in body]
            assert foreign.status_code != 500, (name, target)
            if not set(target.parameters) & set(callers.ids) or callers.may_look(name, target.path):
                continue
            nobody = missing(callers.ids)
            absent = await ask(api, target, filled(target, nobody), headers)
            # One answer for "not yours" and "not there". A webhook's URL is its own secret:
            # who knows it is told that the signature is missing.
            if "channel_key" not in target.parameters:
                told = comparable(foreign, callers.ids)
                assert told == comparable(absent, nobody), (name, target)
                assert not foreign.is_success, (name, target)
    assert leaks == []
    print(f"\n{len(routes)} routes x {len(callers.headers)} callers = {walked} calls, 0 leaks")


async def test_the_walk_sees_what_the_right_caller_sees(api: Api, callers: Callers):
    """Else a walk without leaks would prove nothing."""
    headers = {"Authorization": f"Bearer {callers.own_key}"}
    team = await api.http.get("/settings/team", headers=callers.owner)
    assert "guest-of-victim@example.org" in team.text
    listed = await api.http.get("/api/v1/conversations", headers=headers)
    assert callers.marks[0] in listed.text
    path = f"/api/v1/conversations/{callers.ids['conversation_id']}/messages"
    assert callers.marks[0] in (await api.http.get(path, headers=headers)).text
    me = (await api.http.get("/api/v1/me", headers=headers)).json()
    assert me["tenantId"] == str(callers.victim.tenant_id)
    assert (await api.http.get("/api/v1/credits", headers=headers)).json()["available"] == "100"


async def test_every_route_of_the_rest_api_asks_for_a_key(world: World, api: Api, callers: Callers):
    rest = [t for t in await targets(world) if t.path.startswith("/api/v1")]
    assert len(rest) >= 4
    for target in rest:
        for headers in ({}, callers.owner, {"Authorization": "Bearer pk_live_x"}):
            answer = await ask(api, target, filled(target, callers.ids), headers)
            assert answer.status_code == 401, target
            assert answer.json()["code"] == "unauthorized"
            assert answer.headers["content-type"].startswith("application/problem+json")
