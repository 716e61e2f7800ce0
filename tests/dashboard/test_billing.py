"""Credits' pages: few queries, the ledger, limits, statements, the proof; who may see them."""

import json
from collections.abc import AsyncIterator

import pytest

from app.core.ids import uuid7
from billing.ledger import service as ledger
from billing.ledger.schemas import CloseRequest, HoldRequest
from tests.dashboard.browsing import Browsing
from tests.dashboard.test_console import QUERIES_MAX
from tests.isolation.callers import Callers
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio

PAGES = (
    *("/billing", "/billing/ledger", "/billing/statements", "/billing/limits", "/billing/proof"),
    *("/billing/details", "/billing/auto"),
)


@pytest.fixture
async def agent(world: World, api: Api, callers: Callers) -> AsyncIterator[Browsing]:
    async with Browsing(world, api, cookie=callers.headers["other agent"]["Cookie"]) as browsing:
        yield browsing


async def test_pages_in_few_queries(owner: Browsing, agent: Browsing):
    for path in PAGES:
        asked = await owner.statements(path)
        assert len(asked) <= QUERIES_MAX, (path, asked)
        assert (await agent.get(path)).status_code == 403, path


async def test_a_charge_stands_in_the_ledger_with_its_price(
    world: World, owner: Browsing, callers: Callers
):
    tenant_id, hold_id = callers.victim.tenant_id, uuid7()
    await _charge(world, callers, hold_id)
    page = (await owner.get("/billing/ledger?kind=charges")).text
    assert "Reply charged" in page
    assert "Price list" in page
    assert "Reserved for a reply" not in page
    assert "Reserved for a reply" in (await owner.get("/billing/ledger?kind=reservations")).text
    assert "Nothing was found" in (await owner.get("/billing/ledger?until=2020-01-01")).text
    part = await owner.get(
        "/billing/ledger", **{"HX-Request": "true", "HX-Request-Type": "partial"}
    )
    assert "<html" not in part.text
    for query in ("?kind=x", "?before=x", "?since=x"):
        assert (await owner.get(f"/billing/ledger{query}")).status_code == 400
    first = await world.one("select min(seq) as seq from journal where tenant_id = $1", tenant_id)
    rest = await owner.get(f"/billing/ledger?before={first['seq']}")
    assert "Nothing was found" in rest.text


async def _charge(world: World, callers: Callers, hold_id: object) -> None:
    async with world.db.system() as connection:
        hold = HoldRequest(
            tenant_id=callers.victim.tenant_id, hold_id=hold_id, job_id=uuid7(),  # type: ignore[arg-type]
            amount_ucr=1_000_000, price_version_id=1, created_by="test",
        )  # fmt: skip
        await ledger.hold_many(connection, [hold])
        close = CloseRequest(
            tenant_id=hold.tenant_id, hold_id=hold.hold_id, captured_ucr=1_000_000, delivered=True
        )
        await ledger.close_many(connection, [close])


async def test_limits(owner: Browsing):
    where = "/billing/limits"
    saved = await owner.send(
        where, where, daily_cap="12.5", monthly_cap="90", contact_replies_per_day="30", auto_stop=""
    )
    assert saved.status_code == 303
    shown = (await owner.get(where)).text
    assert 'value="12.5"' in shown
    assert "of 90 credits" in shown
    for wrong in ({"daily_cap": "much"}, {"contact_replies_per_day": "0"}, {"auto_stop": "-1"}):
        form = {"daily_cap": "", "contact_replies_per_day": "30", "auto_stop": "", **wrong}
        assert (await owner.send(where, where, **form)).status_code == 400, wrong
    await owner.send(where, f"{where}/stop")
    assert "The assistant is stopped" in (await owner.get(where)).text
    await owner.send(where, f"{where}/resume")
    assert "The assistant may answer" in (await owner.get(where)).text


async def test_statements_and_proof(owner: Browsing):
    page = (await owner.get("/billing/statements")).text
    month = page.partition("/billing/statements/")[2][:7]
    paper = (await owner.get(f"/billing/statements/{month}")).text
    assert "Opening balance" in paper
    assert "Closing balance" in paper
    csv = await owner.get(f"/billing/statements/{month}.csv")
    assert csv.text.splitlines()[1].split(",")[1] == "opening"
    assert json.loads((await owner.get(f"/billing/statements/{month}.json")).text)["month"] == month
    assert (await owner.get(f"/billing/statements/{month}.pdf")).status_code == 404
    assert (await owner.get("/billing/statements/2099-01.csv")).status_code == 400
    proved = await owner.send("/billing/proof", "/billing/proof")
    assert proved.status_code == 200
    assert "Computed again just now" in proved.text or "found a difference" in proved.text
    assert (await owner.get("/billing/proof.json")).json()["proofs"]


async def test_nothing_is_paid_where_payments_are_not_set_up(owner: Browsing):
    for path in ("top-up", "plan", "portal", "auto"):
        answer = await owner.send("/billing", f"/billing/{path}", package="x", plan="x")
        assert answer.status_code == 400, path
        assert "Payments are not set up here yet" in answer.text
    assert (await owner.get("/billing/paid?session=cs_none")).status_code == 404
    policy = (await owner.get("/billing")).headers["content-security-policy"]
    assert "form-action 'self' https://checkout.stripe.com" in policy
    assert "stripe" not in (await owner.get("/home")).headers["content-security-policy"]
