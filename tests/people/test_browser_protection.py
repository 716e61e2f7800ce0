"""What stands in front of the pages: headers, the session cookie, forged requests."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, Request, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body

from app.core.errors import ParleyError
from app.http import headers
from app.http.csrf import csrf, make_token, page_token
from app.http.problems import on_parley_error
from app.http.sessions import Cookies, person, require_person, sessions

pytestmark = pytest.mark.anyio
URL = "https://desk.example.org"
KEYS = ("k" * 40, "o" * 40)
TOKEN = "t" * 43


def application(url: str = URL) -> Litestar:
    cookies = Cookies(url)

    async def find(token: str, scope: Any) -> str | None:
        assert scope["type"] == "http"
        return "ada" if token == TOKEN else None

    @get("/form", sync_to_thread=False)
    def form(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return {"person": person(request), "token": page_token(request.scope, KEYS)}

    @post("/change", sync_to_thread=False)
    def change(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return {"person": require_person(request)}

    @post("/fields", sync_to_thread=False)
    def fields(
        data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> dict[str, str]:
        return data

    @get("/plain", sync_to_thread=False)
    def plain() -> dict[str, str]:
        return {}

    pages = Router(
        "/",
        route_handlers=[form, change, fields],
        middleware=[
            sessions(cookies, find),
            csrf(cookies=cookies, app_url=url, keys=KEYS),
        ],
    )
    return Litestar(
        [pages, plain],
        before_send=[headers.before_send(url)],
        exception_handlers={ParleyError: on_parley_error},
        openapi_config=None,
        logging_config=None,
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=application())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


def signed_in(**more: str) -> dict[str, str]:
    return {"Cookie": f"__Host-parley_session={TOKEN}", **more}


def test_cookies_are_bound_to_our_host_over_https():
    baked = Cookies(URL).set_session(TOKEN)
    assert baked.startswith(f"__Host-parley_session={TOKEN}; Path=/; ")
    assert baked.endswith("; HttpOnly; SameSite=Lax; Secure")
    assert "Domain" not in baked
    plain = Cookies("http://127.0.0.1:8000").set_session(TOKEN)
    assert plain.startswith("parley_session=")
    assert "Secure" not in plain
    assert "Max-Age=0" in Cookies(URL).drop_session()


async def test_pages_run_nothing_that_is_not_ours(client: httpx.AsyncClient):
    page = (await client.get("/form")).headers
    policy = page["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page["x-frame-options"] == "DENY"
    assert page["x-content-type-options"] == "nosniff"
    assert page["referrer-policy"] == "same-origin"
    assert page["cache-control"] == "no-store"
    assert page["strict-transport-security"].startswith("max-age=31536000")
    assert (await client.get("/plain")).headers["content-security-policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    lost = await client.get("/nothing")
    assert lost.headers["x-content-type-options"] == "nosniff"


async def test_no_hsts_over_http():
    app = application("http://127.0.0.1:8000")
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        assert "strict-transport-security" not in (await client.get("/form")).headers


async def test_a_change_needs_the_sessions_own_token(client: httpx.AsyncClient):
    token = (await client.get("/form", headers=signed_in())).json()["token"]
    done = await client.post("/change", headers=signed_in(**{"X-CSRF-Token": token}))
    assert (done.status_code, done.json()) == (201, {"person": "ada"})
    changed = token[:-1] + ("0" if token[-1] != "0" else "1")
    for other in ("", "x", changed, make_token(KEYS[0], "another session")):
        refused = await client.post("/change", headers=signed_in(**{"X-CSRF-Token": other}))
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
        assert refused.headers["x-frame-options"] == "DENY"


async def test_a_token_survives_the_rotation_of_keys(client: httpx.AsyncClient):
    old = make_token(KEYS[1], TOKEN)
    assert (await client.post("/change", headers=signed_in(**{"X-CSRF-Token": old}))).is_success


async def test_a_form_field_carries_the_token_too(client: httpx.AsyncClient):
    token = (await client.get("/form", headers=signed_in())).json()["token"]
    done = await client.post(
        "/fields", headers=signed_in(), data={"csrf_token": token, "name": "Ada"}
    )
    assert done.json() == {"csrf_token": token, "name": "Ada"}
    assert (await client.post("/fields", headers=signed_in(), data={"name": "x"})).is_client_error


@pytest.mark.parametrize(
    ("header", "value", "fine"),
    [
        ("Sec-Fetch-Site", "same-origin", True),
        ("Sec-Fetch-Site", "none", True),
        ("Sec-Fetch-Site", "same-site", False),
        ("Sec-Fetch-Site", "cross-site", False),
        ("Origin", URL, True),
        ("Origin", "null", False),
        ("Origin", "https://evil.example", False),
        ("Origin", "http://desk.example.org", False),
    ],
)
async def test_a_change_comes_from_our_own_origin(
    client: httpx.AsyncClient, header: str, value: str, fine: bool
):
    token = (await client.get("/form", headers=signed_in())).json()["token"]
    sent = signed_in(**{"X-CSRF-Token": token, header: value})
    assert (await client.post("/change", headers=sent)).is_success is fine


async def test_strangers_forms_are_protected_too(client: httpx.AsyncClient):
    """Else somebody could be signed in to the attacker's account without noticing."""
    page = await client.get("/form")
    assert page.headers["set-cookie"].startswith("__Host-parley_visitor=")
    token = page.json()["token"]
    done = await client.post("/change", headers={"X-CSRF-Token": token})
    assert (done.status_code, done.json()["code"]) == (401, "unauthorized")
    client.cookies.clear()
    forged = await client.post("/change", headers={"X-CSRF-Token": token})
    assert forged.status_code == 403


async def test_signing_in_makes_the_strangers_token_worthless(client: httpx.AsyncClient):
    token = (await client.get("/form")).json()["token"]
    refused = await client.post("/change", headers=signed_in(**{"X-CSRF-Token": token}))
    assert refused.status_code == 403


async def test_a_cookie_that_stands_twice_signs_nobody_in(client: httpx.AsyncClient):
    name = "__Host-parley_session"
    for cookie in (f"{name}=x; {name}={TOKEN}", f"{name}={'x' * 9000}", f"other={TOKEN}", name):
        assert (await client.get("/form", headers={"Cookie": cookie})).json()["person"] is None
