"""The inbox in the browser: live, by keyboard, from taking over to giving back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from app.cli.local.demo_tenant import DemoTenant
from browser.conftest import SHOTS
from browser.visitor import Visitor
from tests.journeys.stack import Journey

TOLD_MS = 3_000
PAGES = {
    "inbox": "/inbox?view=all",
    "inbox-empty": "/inbox?view=snoozed",
    "inbox-search": "/inbox?q=roses",
    "inbox-replies": "/inbox/replies",
}


def beside(act: Any, *values: Any) -> Any:
    """Do something with the database: not in the browser's thread, where a loop runs already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act, *values).result()


@pytest.fixture(scope="module")
def shop(product: Journey) -> DemoTenant:
    """A business whose number is connected, with one customer who wrote."""
    found: DemoTenant = beside(product.business)
    return found


@pytest.fixture(scope="module")
def florist(product: Journey, browser: Browser, shop: DemoTenant) -> Iterator[Visitor]:
    """Its owner, signed in once."""
    someone = Visitor(product, browser, SHOTS)
    someone.sign_up("Flora Reis", "flora@example.com")
    joins = (
        "insert into memberships (tenant_id, user_id, role)"
        " select $1, id, 'owner' from users where email = 'flora@example.com'"
    )
    opens = (
        "update login_sessions set business_id = $1"
        " where user_id = (select id from users where email = 'flora@example.com')"
    )
    for statement in (joins, opens):
        beside(product.rows, statement, UUID(shop.tenant_id))
    yield someone
    someone.close()
    assert someone.complaints == []


def test_take_over_answer_give_back(product: Journey, florist: Visitor, shop: DemoTenant):
    product.model("echo")
    phone = product.phone()
    product.write(shop, phone, "have you got roses?")
    product.wait_replies(phone)
    page = florist.open("/inbox?view=all")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_text("The assistant answers.").wait_for()
    product.write(shop, phone, "red ones?")
    expect(page.locator("#thread-live")).to_contain_text("red ones?", timeout=TOLD_MS)
    product.wait_replies(phone, 2)
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("Flora Reis answers until").wait_for()
    product.write(shop, phone, "is anybody there?")
    expect(page.get_by_text("so the assistant stayed silent")).to_be_visible(timeout=TOLD_MS)
    page.keyboard.press("r")
    page.keyboard.type("Flora here: yes, red ones.")
    page.keyboard.press("Enter")
    own = page.locator(".by-agent", has_text="red ones")
    expect(own.get_by_role("img", name="Read").or_(own.get_by_role("img", name="Delivered")))
    assert product.wait_replies(phone, 3)[-1] == "Flora here: yes, red ones."
    page.fill("#body", "A regular customer")
    page.get_by_role("button", name="Note").click()
    expect(page.locator(".thread-note")).to_contain_text("A regular customer")
    florist.examine("inbox-conversation")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Give back").click()
    page.get_by_text("The assistant answers.").wait_for()
    product.write(shop, phone, "and white ones?")
    assert "white ones" in product.wait_replies(phone, 4)[-1]
    page.get_by_role("link", name="Why?").last.click()
    expect(page.locator("#why")).to_be_visible()


def test_a_canned_reply_by_its_shortcut(product: Journey, florist: Visitor, shop: DemoTenant):
    page = florist.open("/inbox/replies")
    page.set_viewport_size({"width": 390, "height": 844})
    florist.press("New reply")
    page.fill("#shortcut-new", "late")
    page.fill("#body-new", "We are open until ten.")
    page.locator("#new-reply").get_by_role("button", name="Save").click()
    page.get_by_text("Your changes are saved.").wait_for()
    phone = product.phone()
    product.write(shop, phone, "open late?")
    product.wait_replies(phone)
    page = florist.open("/inbox?view=all")
    page.locator("[data-row]", has_text="open late?").first.click()
    page.locator("#body").press_sequentially("/la")
    page.get_by_role("option", name="/late").click()
    assert page.input_value("#body") == "We are open until ten."
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".by-agent")).to_contain_text("We are open until ten.")
    assert product.wait_replies(phone, 2)[-1] == "We are open until ten."


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_the_inbox(florist: Visitor, name: str):
    florist.open(PAGES[name])
    florist.examine(name)
