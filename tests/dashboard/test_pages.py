"""Pages over HTTP: sign-up to sign-in, refusals, errors for browsers and programs, headers."""

import hashlib
import re
from pathlib import Path
from uuid import uuid4

import pytest

from app.assistant.versions import DISCLOSURES
from app.core.mail.outbox import Outbox
from app.dashboard import pages
from app.dashboard.pages.public import TERMS_VERSION
from billing import proofs
from billing.ledger import service
from billing.ledger.schemas import Balance
from billing.verify import Finding, Proof
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers
from tests.worlds import World

pytestmark = pytest.mark.anyio

PASSWORD = "seven bridges over an owl"


def account(**changes: str) -> dict[str, str]:
    email = f"{uuid4().hex[:10]}@example.org"
    return {"name": "Ada", "email": email, "password": PASSWORD, "terms": "yes", **changes}


async def mailed(world: World, to: str) -> str:
    """The path of the newest link mailed to an address."""
    outbox = Outbox(world.settings.keyring())
    rows = await world.all("select id, recipient, content from mails order by created_at desc")
    opened = [outbox.open(r["id"], r["recipient"], r["content"]) for r in rows]
    text = next(rendered.text for address, rendered in opened if address == to)
    found = re.search(rf"{re.escape(world.settings.app_url)}(/\S+)", text)
    assert found, text
    return found[1]


async def test_from_sign_up_to_a_business(world: World, stranger: Browsing):
    await world.run(
        "insert into plans (code, name, monthly_credits_ucr) values ('p', 'P', 5000000)"
        " on conflict (code) do update set monthly_credits_ucr = excluded.monthly_credits_ucr"
    )
    form = account()
    asked = await stranger.send("/sign-up", "/sign-up", **form)
    assert asked.status_code == 200
    assert form["email"] in asked.text
    link = await mailed(world, form["email"])
    confirmed = await stranger.send(link, "/verify-email", token=link.partition("token=")[2])
    assert confirmed.headers["location"] == "/login"
    signed_in = await stranger.send(
        "/login", "/login", email=form["email"], password=PASSWORD, next="/account"
    )
    assert signed_in.headers["location"] == "/account"
    assert (await stranger.get("/account")).status_code == 200
    assert (await stranger.get("/home")).headers["location"] == "/businesses/new"
    await stranger.send("/account", "/preferences", language="pt", next="/account")
    assert '<html lang="pt"' in (await stranger.get("/account")).text
    await stranger.send("/account", "/preferences", language="en", next="/account")
    slug = f"b-{uuid4().hex[:8]}"
    made = await stranger.send(
        "/businesses/new",
        "/businesses/new",
        name="Harbour Bakery",
        slug=slug,
        time_zone="Europe/Dublin",
        locale="en",
        country="IE",
        terms="yes",
        disclosure="yes",
    )
    assert made.headers["location"] == "/home"
    home = await stranger.get("/home")
    assert "Harbour Bakery" in home.text
    assert "Welcome to Parley!" in home.text
    assert "Welcome to Parley!" not in (await stranger.get("/home")).text
    given = await world.one(
        "select w.available_ucr, p.monthly_credits_ucr from wallets w"
        " join tenants t on t.id = w.tenant_id join plans p on p.code = t.plan_code"
        " where t.slug = $1",
        slug,
    )
    assert given["available_ucr"] == given["monthly_credits_ucr"] > 0
    # What the business agreed to is so before it has written a word itself.
    assert DISCLOSURES["en"] in (await stranger.get("/assistant")).text
    out = await stranger.send("/home", "/logout")
    assert out.headers["location"] == "/login"
    assert (await stranger.get("/home")).headers["location"] == "/login?next=/home"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "password1"}, "password"),
        ({"email": "nobody"}, "email"),
        ({"name": ""}, "name"),
    ],
)
async def test_a_refused_form_comes_back(stranger: Browsing, changes: dict[str, str], field: str):
    answer = await stranger.send("/sign-up", "/sign-up", **account(**changes))
    assert answer.status_code == 400
    assert f'aria-describedby="{field}' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert PASSWORD not in answer.text


async def test_a_wrong_password_says_nothing_of_the_account(stranger: Browsing):
    answer = await stranger.send("/login", "/login", email="no@example.org", password="wrong one")
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.text


def test_the_version_of_the_terms_tells_their_text():
    """Who accepted a version accepted these words: give changed ones another version."""
    folder = Path(pages.__file__).parents[1] / "templates" / "public"
    words = [
        said
        for name in ("terms.html", "privacy.html")
        for said in re.findall(r'_\("(.*?)"', (folder / name).read_text("utf-8"))
    ]
    print_of = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
    assert (TERMS_VERSION, print_of) == ("2026-11-23", "58bf26c113dcdd5d")


async def test_in_the_visitors_language(stranger: Browsing):
    spanish = await stranger.get("/login", **{"Accept-Language": "es"})
    assert '<html lang="es"' in spanish.text
    assert "Contraseña" in spanish.text
    await stranger.send("/login", "/preferences", language="pt", theme="dark", next="/login")
    chosen = await stranger.get("/login", **{"Accept-Language": "es"})
    assert '<html lang="pt" data-theme="dark"' in chosen.text
    refused = await stranger.send("/login", "/login", email="no@example.org", password="x")
    assert '<html lang="pt"' in refused.text


async def test_errors_are_pages_for_browsers_and_problems_for_programs(stranger: Browsing):
    page = await stranger.get("/nothing/here")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert page.headers["content-type"].startswith("text/html")
    problem = await stranger.get("/nothing/here", Accept="application/json")
    assert problem.status_code == 404
    assert problem.headers["content-type"].startswith("application/problem+json")
    assert problem.json()["code"] == "not_found"


async def test_a_form_without_its_token_changes_nothing(stranger: Browsing):
    await stranger.get("/login")
    answer = await stranger.http.post("/login", data={"email": "a@example.org", "password": "x"})
    assert answer.status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    fields = {"csrf_token": await stranger.token("/login"), "email": "a@example.org"}
    answer = await stranger.http.post("/login", data=fields, headers=elsewhere)
    assert answer.status_code == 403


async def test_headers_of_pages(stranger: Browsing):
    for path in ("/", "/login", "/nothing"):
        headers = (await stranger.get(path)).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


async def test_files_are_kept_by_browsers(stranger: Browsing):
    page = (await stranger.get("/")).text
    script = re.search(r'<script src="([^"]+)"', page)
    assert script
    answer = await stranger.get(script[1], **{"Accept-Encoding": "br"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "br"
    for path in ("/static/manifest.json", "/static/..%2fsite.py", "/static/none.css"):
        assert (await stranger.get(path)).status_code == 404


async def test_the_audit_trail(owner: Browsing):
    whole = await owner.get("/settings/audit")
    assert "Set the business up" in whole.text
    part = await owner.get(
        "/settings/audit?action=tenant.", **{"HX-Request": "true", "HX-Request-Type": "partial"}
    )
    assert part.text.lstrip().startswith("<table")
    table = await owner.get("/settings/audit.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.startswith("at,actor_kind")
    assert (await owner.get("/settings/audit?since=soon")).status_code == 400


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), "recomputed from 12 ledger entries"),
        ((("journal", "7 is not 8"),), "found a difference"),
    ],
)
async def test_home_tells_the_last_proof_of_the_credits(
    world: World, owner: Browsing, callers: Callers, found: tuple[tuple[str, str], ...], words: str
):
    tenant_id = callers.victim.tenant_id
    findings = tuple(Finding(tenant_id, 1, rule, "journal", "1", detail) for rule, detail in found)
    proof = Proof(tenant_id, Balance(tenant_id=tenant_id), 12, 1, 0, 0, "ab12", findings)
    await world.run("delete from ledger_proofs where tenant_id = $1", tenant_id)
    async with world.db.system() as connection:
        await proofs.keep(connection, proof)
    home = await owner.get("/home")
    async with world.db.system() as connection:
        await service.freeze(connection, tenant_id, None)
    await world.run("delete from ledger_proofs where tenant_id = $1", tenant_id)
    assert words in home.text


async def test_inviting_and_changing_the_business(world: World, owner: Browsing):
    email = f"{uuid4().hex[:8]}@example.org"
    sent = await owner.send(
        "/settings/team", "/settings/team/invitations", email=email, role="agent"
    )
    assert sent.headers["location"] == "/settings/team"
    assert email in (await owner.get("/settings/team")).text
    seen = await owner.get(await mailed(world, email))
    assert "Harbour Bakery" in seen.text
    assert "invited you" not in (await owner.get("/businesses/new")).text
    await world.run(
        "update invitations i set email = u.email from memberships m join users u on u.id ="
        " m.user_id where m.tenant_id = i.tenant_id and i.email = $1",
        email,
    )
    assert "Harbour Bakery invited you" in (await owner.get("/businesses/new")).text
    nameless = await owner.send("/businesses/new", "/businesses/new", name="")
    assert nameless.status_code == 400
    refused = await owner.send(
        "/settings/business", "/settings/business", name="X", time_zone="Mars"
    )
    assert refused.status_code == 400
    form = {"name": "Harbour Café", "time_zone": "Europe/Lisbon", "locale": "pt", "country": "PT"}
    saved = await owner.send(
        "/settings/business", "/settings/business", retention_days="60", **form
    )
    assert saved.headers["location"] == "/settings/business"
    assert "Harbour Café" in (await owner.get("/settings/business")).text


async def test_a_passkey_begins_with_options(stranger: Browsing):
    token = await stranger.token("/login")
    answer = await stranger.http.post("/passkeys/options/sign-in", headers={"X-CSRF-Token": token})
    assert answer.status_code == 200
    assert answer.json()["options"]["challenge"]
    refused = await stranger.send(
        "/login", "/login/passkey", ceremony=answer.json()["ceremony"], credential="{}"
    )
    assert refused.status_code == 401
