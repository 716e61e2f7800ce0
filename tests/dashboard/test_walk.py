"""The walk over every page, as everybody who must not see a business's data."""

import re
from uuid import UUID, uuid4

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.core.ids import uuid7
from app.factory import create_app
from app.http.csrf import make_token
from benchmarks.web.data import Business, Person
from benchmarks.web.pages import is_page, visits
from benchmarks.webhooks import Number
from tests.isolation.callers import Callers
from tests.serving import undisturbed_logging
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio

# What the benchmark of the pages makes, and pages behind a secret of a mail.
OF_BUSINESS = (
    *("conversation_id", "contact_id", "message_id", "answer_id", "question_id", "source_id"),
    *("tool_id", "campaign_id", "import_id", "export_id", "tenant_id", "channel_id"),
)
OF_STRANGERS = ("/invitations/{token}", "/exports/{token}")
SINGLE = {"month": "2026-11", "number": "1"}
FORM = {"role": "agent", "what": "block", "on": "yes"}
SIGNED_IN = (
    "/knowledge",
    "/home",
    "/settings",
    "/account",
    "/business",
    "/contacts",
    "/admin",
    "/numbers",
    "/inbox",
    "/assistant",
)
HARMLESS = {
    "token": "x" * 43,
    "name": "favicon.svg",
    "month": "2026-11.csv",
    "file_kind": "svg",
    "number": "1",
}


@pytest.fixture(scope="module")
def routes(world: World) -> list[tuple[str, str]]:
    with undisturbed_logging():
        site = create_app(world.settings).pages.build()
    found = set()
    for route in site.routes:
        assert isinstance(route, HTTPRoute)
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        found |= {(method, path) for method in route.methods if method != "OPTIONS"}
    return sorted(found)


async def victims(world: World, callers: Callers) -> dict[str, UUID]:
    """Ids of the victim's people and things, by parameter name."""
    user = await world.one("select id from users where email = 'victim@example.org'")
    session = await world.one("select id from login_sessions where user_id = $1", user["id"])
    invitation, passkey = uuid7(), uuid7()
    await world.run(
        "insert into invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at)"
        " values ($1, $2, 'lighthouse-secret-words@example.org', 'agent', $3, $4,"
        " now() + interval '1 day')",
        callers.victim.tenant_id, invitation, uuid4().bytes, user["id"],
    )  # fmt: skip
    await world.run(
        "insert into passkeys (id, user_id, credential_id, public_key, sign_count, name, backed_up)"
        " values ($1, $2, $3, $3, 0, 'lighthouse-secret-words', false)",
        passkey, user["id"], uuid4().bytes,
    )  # fmt: skip
    await world.run(
        "insert into assistant_versions (tenant_id, id, number, state, content)"
        """ values ($1, $2, 1, 'live', '{"persona": "lighthouse-secret-words"}')""",
        callers.victim.tenant_id, uuid7(),
    )  # fmt: skip
    return {
        **{name: value for name, value in callers.ids.items() if isinstance(value, UUID)},
        "user_id": user["id"],
        "session_id": session["id"],
        "invitation_id": invitation,
        "passkey_id": passkey,
    }


def token_of(world: World, headers: dict[str, str]) -> str:
    session = headers.get("Cookie", "").partition("=")[2]
    return make_token(world.settings.secret_keys[0], session) if session else ""


def told(answer: httpx.Response) -> tuple[int, str]:
    """What an answer says: a problem's code, or the page that a refused form comes back on."""
    if answer.headers["content-type"].startswith("application/problem+json"):
        return answer.status_code, answer.json()["code"]
    return answer.status_code, "page"


async def test_no_page_leaks(
    world: World, api: Api, callers: Callers, routes: list[tuple[str, str]]
):
    ids = await victims(world, callers)
    known = {**HARMLESS, **ids}
    absent = {**HARMLESS, **{name: uuid4() for name in ids}}
    walked = 0
    for method, path in routes:
        names = re.findall(r"{(\w+)}", path)
        unknown = set(names) - set(known)
        assert not unknown, f"{path}: give {unknown} a victim's id in victims, or in HARMLESS"
        for name, cookie in callers.headers.items():
            # A session that the walk itself signs out would prove nothing afterwards.
            if path in {"/logout", "/account/devices/end-others"}:
                continue
            answers = []
            for values in (known, absent) if set(names) & set(ids) else (known,):
                headers = {**cookie, "X-CSRF-Token": token_of(world, cookie)}
                url = re.sub(r"{(\w+)}", lambda m, v=values: str(v[m[1]]), path)
                answer = await api.http.request(
                    method, url, headers=headers, data=FORM if method == "POST" else None
                )
                walked += 1
                assert answer.status_code < 500, (name, method, url, answer.text)
                said = answer.text + str(answer.headers)
                assert not [m for m in callers.hidden_from(name, path) if m in said], (name, url)
                answers.append(answer)
            if len(answers) > 1 and not callers.may_look(name, path):
                foreign, missing = map(told, answers)
                assert foreign == missing, (name, method, path)
                # What a live page asks for sends others on to where the whole page refuses them.
                assert foreign[0] in {303, 401, 403, 404}, (name, method, path)
    print(f"\n{len(routes)} pages x {len(callers.headers)} callers: {walked} calls, 0 leaks")
    assert await world.all("select 1 from login_sessions where id = $1", ids["session_id"])
    assert await world.all("select 1 from passkeys where id = $1", ids["passkey_id"])
    assert await world.all("select 1 from invitations where id = $1", ids["invitation_id"])


async def test_pages_of_a_business_ask_for_a_sign_in(api: Api, routes: list[tuple[str, str]]):
    for method, path in routes:
        if method != "GET" or not path.startswith(SIGNED_IN):
            continue
        url = re.sub(r"{\w+}", str(uuid4()), path.replace("{number}", "1"))
        answer = await api.http.get(url, headers={"Accept": "text/html"})
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login?next=/"), path


def test_the_benchmark_asks_for_every_page(routes: list[tuple[str, str]]):
    """A new page's parameter is given something to look at in benchmarks/web."""
    paths = [path for method, path in routes if method == "GET" and is_page(path)]
    owner, agent, admin = (Person(uuid4(), word) for word in ("owner", "agent", "admin"))
    ids = {name: f"<{name}>" for name in OF_BUSINESS}
    number = Number("", "", "", "", "")
    business = Business(uuid4(), owner, agent, admin, number, ids)
    asked = visits(paths, business)
    for path in paths:
        if path not in OF_STRANGERS:
            filled = path.format_map({**ids, **SINGLE})
            assert filled in [visited for visited, _ in asked], path
    assert {person for path, person in asked if path.startswith("/admin")} == {admin}
