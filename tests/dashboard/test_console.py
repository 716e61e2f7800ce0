"""The console: for admins alone, in few queries; credits by two people; acting; suspension."""

import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from app.core.ids import uuid7
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import MARK, NUMBER, Callers, open_session
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio

PAGES = (
    *("/admin", "/admin/businesses?q=bakery", "/admin/credits", "/admin/ledger", "/admin/margin"),
    *("/admin/stuck", "/admin/catalogue", "/admin/access", "/admin/audit"),
)
FILES = ("/admin/ledger.csv", "/admin/audit.csv")
QUERIES_MAX = 10
REASON = "they asked us for help"


@pytest.fixture
async def admin(world: World, api: Api, callers: Callers) -> AsyncIterator[Browsing]:
    async with Browsing(world, api, cookie=callers.headers["admin"]["Cookie"]) as browsing:
        yield browsing


@pytest.fixture
async def second(world: World, api: Api, callers: Callers) -> AsyncIterator[Browsing]:
    """Another admin."""
    address = f"second-{uuid4().hex[:8]}@example.org"
    token = await open_session(world, address, callers.victim, None, True)
    name = callers.headers["admin"]["Cookie"].partition("=")[0]
    async with Browsing(world, api, cookie=f"{name}={token}") as browsing:
        yield browsing


async def business_of(callers: Callers) -> str:
    return f"/admin/businesses/{callers.victim.tenant_id}"


async def available(world: World, tenant_id: UUID) -> int:
    row = await world.one("select available_ucr from wallets where tenant_id = $1", tenant_id)
    return int(row["available_ucr"]) // 1_000_000


async def test_every_page_in_few_queries_and_without_messages(admin: Browsing, callers: Callers):
    ledger = f"/admin/ledger?business={callers.victim.tenant_id}"
    for path in (*PAGES, await business_of(callers), ledger):
        asked = await admin.statements(path)
        assert len(asked) <= QUERIES_MAX, (path, asked)
        page = (await admin.get(path)).text
        for secret in (MARK, NUMBER, callers.victim.secret, callers.victim.session):
            assert secret not in page, path
    for path in FILES:
        assert (await admin.get(path)).status_code == 200


async def test_it_does_not_exist_for_others(owner: Browsing, stranger: Browsing):
    for path in PAGES:
        assert (await owner.get(path)).status_code == 404, path
        assert (await stranger.get(path)).headers["location"].startswith("/login?next="), path


async def test_links_that_are_not_complete_are_refused(admin: Browsing):
    for query in (
        "?before=x",
        "?before=2026-11-23_a_1",
        "?kind=none",
        "?since=never",
        "?business=x",
    ):
        assert (await admin.get(f"/admin/ledger{query}")).status_code == 400, query
    for query in ("?before=x", "?before=2026-11-23T00:00:00_" + str(uuid4())):
        assert (await admin.get(f"/admin/audit{query}")).status_code == 400, query
    assert (await admin.get("/admin/businesses?after=x")).status_code == 400
    assert (await admin.get(f"/admin/businesses/{uuid4()}")).status_code == 404


async def test_credits_by_one_and_by_two(
    world: World, admin: Browsing, second: Browsing, callers: Callers
):
    page, tenant_id = await business_of(callers), callers.victim.tenant_id
    before = await available(world, tenant_id)
    form = {"kind": "grant", "source": "promo", "reason": REASON, "expires": ""}
    done = await admin.send(page, f"{page}/credits", amount="600", **form)
    assert done.status_code == 303
    assert await available(world, tenant_id) == before + 600
    # 600 and 500 are above the limit of 1 000 within a day.
    await admin.send(page, f"{page}/credits", amount="500", **form)
    assert await available(world, tenant_id) == before + 600
    request = await world.one(
        "select id from credit_requests where state = 'requested' and tenant_id = $1", tenant_id
    )
    fields = {"business": str(tenant_id), "request": str(request["id"]), "decision": "approve"}
    own = await admin.send("/admin/credits", "/admin/credits/decide", **fields)
    assert own.status_code == 403
    await second.send("/admin/credits", "/admin/credits/decide", **fields)
    assert await available(world, tenant_id) == before + 1100
    refused = await admin.send(page, f"{page}/credits", amount="no", **form)
    assert refused.status_code == 400
    assert "is not a number of credits" in refused.text
    assert REASON in (await admin.get("/admin/ledger?kind=grants")).text
    assert "600,000000" not in (await admin.get("/admin/ledger.csv")).text


async def test_suspended_reads_and_changes_nothing(
    world: World, admin: Browsing, owner: Browsing, callers: Callers
):
    page = await business_of(callers)
    missing = await admin.send(page, f"{page}/status", status="suspended", reason="")
    assert missing.status_code == 400
    await admin.send(page, f"{page}/status", status="suspended", reason="unpaid bills")
    try:
        shown = await owner.get("/billing")
        assert "unpaid bills" in shown.text
        assert (await owner.get("/settings/business")).status_code == 403
        refused = await owner.send("/billing/limits", "/billing/limits/stop")
        assert refused.status_code == 403
    finally:
        await admin.send(page, f"{page}/status", status="active", reason="paid")
    assert "unpaid bills" not in (await owner.get("/billing")).text
    assert (await owner.get("/settings/business")).status_code == 200


async def test_acting_for_a_business_has_an_end(second: Browsing, callers: Callers):
    page = await business_of(callers)
    short = await second.send(page, f"{page}/act", reason="why", minutes="15")
    assert short.status_code == 400
    begun = await second.send(page, f"{page}/act", reason=REASON, minutes="15")
    assert begun.headers["location"] == "/home"
    # The session got a new token; the one that it began with is worth nothing.
    second.http.cookies.clear()
    second.http.cookies.update(begun.cookies)
    home = await second.get("/billing")
    assert "You act for Harbour Bakery" in home.text
    assert (await second.get("/admin")).status_code == 403
    ended = await second.send("/billing", "/admin/acting/end")
    assert ended.headers["location"] == page
    assert (await second.get("/billing")).status_code == 404
    assert (await second.get("/home")).headers["location"] == "/admin"


async def test_what_is_stuck_is_set_going(world: World, admin: Browsing, callers: Callers):
    shop, key = callers.victim, uuid4().bytes
    await world.run(
        "insert into inbox_keys (tenant_id, channel_id, key, event_day, inbox_id, pending,"
        " attempts, outcome) values ($1, $2, $3, current_date, $4, false, 5, 'failed')",
        shop.tenant_id, shop.channel_id, key, uuid7(),
    )  # fmt: skip
    await world.run(
        "insert into stripe_events (id, kind, object_ref, state, attempts, ended_at)"
        " values ('evt_stuck', 'invoice.paid', 'in_1', 'failed', 20, now())"
    )
    shown = (await admin.get("/admin/stuck")).text
    assert key.hex() in shown
    assert "invoice.paid" in shown
    event_form = {"business": str(shop.tenant_id), "channel": str(shop.channel_id)}
    where = "/admin/stuck"
    done = await admin.send(where, where, what="event", key=key.hex(), **event_form)
    assert done.status_code == 303
    again = await admin.send(where, where, what="event", key=key.hex(), **event_form)
    assert again.status_code == 404
    await admin.send(where, where, what="payment", id="evt_stuck")
    states = await world.column("select state from stripe_events where id = 'evt_stuck'")
    assert states == ["pending"]
    assert await world.column("select pending from inbox_keys where key = $1", key) == [True]
    odd = await admin.send(where, where, what="event", key="zz", **event_form)
    assert odd.status_code == 400
    await world.run("delete from inbox_keys where key = $1", key)
    await world.run("delete from stripe_events where id = 'evt_stuck'")


async def test_a_failing_turn_is_given_to_people(world: World, admin: Browsing, callers: Callers):
    shop, contact, talk, turn = callers.victim, uuid7(), uuid7(), uuid7()
    await world.run(
        "insert into contacts (tenant_id, id, name) values ($1, $2, 'Stuck')",
        shop.tenant_id, contact,
    )  # fmt: skip
    await world.run(
        "insert into conversations (tenant_id, id, channel_id, contact_id, address)"
        " values ($1, $2, $3, $4, '353719100777@c.us')",
        shop.tenant_id, talk, shop.channel_id, contact,
    )  # fmt: skip
    await world.run(
        "insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at,"
        " failing_since, lease_until)"
        " values ($1, $2, $3, $4, 'held', now(), now(), now(), now() + interval '1 hour')",
        shop.tenant_id, turn, talk, shop.channel_id,
    )  # fmt: skip
    where, form = "/admin/stuck", {"business": str(shop.tenant_id), "id": str(turn)}
    assert "Give to people" in (await admin.get(where)).text
    done = await admin.send(where, where, what="hand_over", **form)
    assert done.status_code == 303
    ended = await world.one("select state, end_reason from turns where id = $1", turn)
    assert ended == {"state": "cancelled", "end_reason": "handed_over_by_admin"}
    assert await world.column("select state from conversations where id = $1", talk) == ["open"]
    assert (await admin.send(where, where, what="hand_over", **form)).status_code == 404
    proved = await admin.send(await business_of(callers), f"{await business_of(callers)}/proof")
    assert proved.status_code == 303


async def test_prices_plans_and_networks(world: World, admin: Browsing):
    where, code = "/admin/catalogue", f"p-{uuid4().hex[:8]}"
    past = {"valid_from": "2026-01-01T00:00", "per_reply": "2", "reason": "costs"}
    refused = await admin.send(where, f"{where}/prices", **past)
    assert refused.status_code == 400
    assert "in the future only" in refused.text
    await admin.send(where, f"{where}/prices", **{**past, "valid_from": "2099-01-01T00:00"})
    made = await world.one("select id from price_versions where per_reply_ucr = 2000000")
    await admin.send(where, f"{where}/prices/withdraw", version=str(made["id"]))
    assert not await world.all("select 1 from price_versions where id = $1", made["id"])
    tokens = {"model_0": "*", "input_0": "0.002", "output_0": "0.008", "cost_output_0": "2.5"}
    twice = {**tokens, "model_1": "*", "input_1": "1"}
    future = {**past, "valid_from": "2099-01-01T00:00"}
    again = await admin.send(where, f"{where}/prices", **future, **twice)
    assert "Each model stands in one line only." in again.text
    await admin.send(where, f"{where}/prices", **future, **tokens)
    made = await world.one("select * from price_versions where per_reply_ucr = 2000000")
    assert json.loads(made["per_1k_tokens"]) == {"*": {"input_ucr": 2000, "output_ucr": 8000}}
    assert json.loads(made["provider_prices"])["*"]["output_usd_micro"] == 2_500_000
    assert 'value="0.008"' in (await admin.get(where)).text
    await admin.send(where, f"{where}/prices/withdraw", version=str(made["id"]))
    plan = dict.fromkeys(
        ("weight", "max_inflight", "turn_per_min", "turn_burst", "send_per_min", "send_burst"), "9"
    )
    terms = {"name": "Nine", "price": "9", "currency": "eur", "credits": "90"}
    await admin.send(where, f"{where}/plans", code=code, reason="new", **plan, **terms)
    stored = await world.one("select weight, currency, offered from plans where code = $1", code)
    assert stored == {"weight": 9, "currency": "EUR", "offered": False}
    await admin.send(where, f"{where}/packages", code=code, reason="new", **terms)
    assert await world.all("select 1 from top_up_packages where code = $1", code)
    access = "/admin/access"
    own = await admin.send(access, f"{access}/networks", network=admin.address, reason="me")
    assert own.status_code == 400
    await admin.send(access, f"{access}/networks", network="203.0.113.7", reason="harm")
    assert "203.0.113.7/32" in (await admin.get(access)).text
    await admin.send(access, f"{access}/networks", network="203.0.113.7", act="remove", reason="x")
    assert "203.0.113.7/32" not in (await admin.get(access)).text
    trail = (await admin.get("/admin/audit?action=deny_list.")).text
    assert "203.0.113.7/32" in trail
