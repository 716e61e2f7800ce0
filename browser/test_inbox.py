"""The inbox in the browser: live, by keyboard, from taking over to giving back."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from app.cli.local.demo_tenant import DemoTenant
from app.messaging.media.uploads import UPLOAD_BYTES_MAX
from browser.conftest import SHOTS
from browser.gallery import INBOX
from browser.visitor import Visitor, beside
from tests.journeys.stack import Journey

TOLD_MS = 3_000
HANDS_OVER = {"reply": "", "action": "handover", "reason_code": "customer_request"}
# Counts tones and keeps notifications; the page may be told that nobody sees it.
HEARD = """
window.heard = { tones: 0, shown: [], away: false };
Object.defineProperty(document, "hidden", { get: () => heard.away });
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) {
  heard.tones += 1;
  return start.apply(this, at);
};
window.Notification = class extends Notification {
  constructor(title, told) { super(title, told); heard.shown.push(told.body); }
};
"""


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


@pytest.mark.parametrize("name", INBOX)
def test_pages_of_the_inbox(florist: Visitor, name: str):
    florist.open(INBOX[name])
    florist.examine(name)


def test_a_handover_calls(product: Journey, browser: Browser, florist: Visitor, shop: DemoTenant):
    """Whoever asked to be called hears it, is shown it, and sees how many; elsewhere too."""
    florist.context.grant_permissions(["notifications"])
    florist.context.add_init_script(HEARD)
    page = florist.open("/inbox?view=all")
    page.set_viewport_size({"width": 1440, "height": 900})
    bell = page.get_by_role("button", name="Tell me when somebody waits")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    page.evaluate("heard.tones = 0; heard.away = true")
    product.model("script", script=[HANDS_OVER])
    phone = product.phone()
    product.write(shop, phone, "May I speak with somebody?")
    page.wait_for_function("heard.shown.length > 0", timeout=10_000)
    assert page.evaluate("heard.shown[0]").startswith("A customer is waiting for an answer. (")
    assert page.evaluate("heard.tones") == 2
    waiting = re.match(r"\((\d+)\) ", page.title())
    assert waiting is not None
    badge = page.get_by_role("navigation", name="Main").locator("[data-unread-count]")
    expect(badge).to_have_text(waiting[1])
    # A context of its own: its clock is put forward, and that of the inbox is not.
    away = browser.new_context(
        base_url=florist.url, locale="en", storage_state=florist.context.storage_state()
    )
    away.add_init_script(HEARD)
    elsewhere = away.new_page()
    elsewhere.clock.install()
    elsewhere.goto("/contacts")
    expect(elsewhere).to_have_title(re.compile(rf"^\({waiting[1]}\) "))
    product.write(shop, product.phone(), "May I speak with somebody else?")

    def called() -> bool:
        elsewhere.clock.run_for(30_000)
        return bool(elsewhere.evaluate("heard.tones") == 2)

    product.until(called, "another page rings too")
    away.close()
    product.model("echo")


def test_a_lost_stream_is_told(florist: Visitor):
    page = florist.open("/inbox?view=all")
    lost = page.get_by_text("The connection is lost.")
    expect(lost).to_be_hidden()
    # What cannot be loaded now is no complaint.
    florist.refused.add("offline")
    florist.context.set_offline(True)
    expect(lost).to_be_visible(timeout=8_000)
    florist.context.set_offline(False)
    expect(lost).to_be_hidden(timeout=10_000)
    florist.refused.discard("offline")


def test_a_file_that_is_too_large_does_not_travel(
    product: Journey, florist: Visitor, shop: DemoTenant, tmp_path: Path
):
    product.model("echo")
    phone = product.phone()
    product.write(shop, phone, "a picture, please")
    product.wait_replies(phone)
    page = florist.open("/inbox?view=all")
    page.get_by_role("link", name=re.compile("a picture, please")).first.click()
    page.fill("#body", "Here it is")
    large = tmp_path / "film.mp4"
    large.write_bytes(bytes(UPLOAD_BYTES_MAX + 1))
    page.get_by_label("Attach a file").set_input_files(large)
    page.get_by_text("This file is too large").wait_for()
    assert page.input_value("#body") == "Here it is"
    small = {"name": "rose.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
    page.get_by_label("Attach a file").set_input_files([small])
    page.get_by_text("rose.png").wait_for()
    page.get_by_role("button", name="Remove the file").click()
    expect(page.get_by_text("rose.png")).to_be_hidden()
