"""The life of a business as its owner lives it: from signing up to the reply behind a charge.

Everything is done by what a person sees and says: words, labels and roles.
"""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser.conftest import SHOTS
from browser.looking import look_around
from browser.shop import Shop
from browser.visitor import PASSWORD, Visitor, beside
from tests.journeys.stack import Journey
from tests.media.samples import png

# What a live page is told must be there soon: generous for a busy machine.
TOLD_MS = 5_000
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
EMAIL = "mara@example.com"
BUSINESS = "Quay Street Cakes"
OFFER = (
    "insert into top_up_packages (code, name, credits_ucr, price_minor, currency)"
    " values ('life', 'For a start', 200000000, 1200, 'EUR') on conflict do nothing"
)


# A day's work in one go: two minutes are not enough on a busy machine.
@pytest.mark.timeout(300)
def test_the_life_of_a_business(product: Journey, browser: Browser, admin: Visitor):
    product.model("echo")
    owner = Visitor(product, browser, SHOTS)
    shop = Shop(product, owner)
    owner.page.set_viewport_size(DESK)
    _sign_up(shop)
    _open_the_business(shop)
    _connect_the_number(shop)
    _top_up(shop)
    phone = product.phone()
    _first_message(shop, phone)
    _take_over_and_answer(shop, phone)
    _send_a_file(shop, phone)
    _sort(shop)
    _use_a_canned_reply(shop, phone)
    _give_back(shop, phone)
    _on_a_phone(shop)
    _receive_a_gift(shop, admin)
    _from_the_charge_to_the_reply(shop)
    look_around(shop, BUSINESS)
    owner.close()
    # The payment page is the one other host that anybody is led to.
    assert [c for c in owner.complaints if product.simulator_url not in c] == []


def _sign_up(shop: Shop) -> None:
    page = shop.owner.open("/")
    page.get_by_role("link", name="Start free").first.click()
    page.get_by_label("Your name").fill("Mara Quay")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("checkbox").check()
    shop.press("Create my account")
    page.get_by_role("heading", name="Look into your mailbox").wait_for()
    shop.owner.open(shop.owner.link_mailed_to(EMAIL, "/verify-email"))
    shop.press("Confirm my address")
    page.get_by_role("heading", name="Welcome back").wait_for()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    shop.press("Sign in")


def _open_the_business(shop: Shop) -> None:
    page = shop.page
    page.get_by_label("Name of the business").fill(BUSINESS)
    page.get_by_label("Short name").fill("quay-street-cakes")
    page.get_by_label("Country").select_option(label="Ireland")
    page.get_by_label("tells customers in its first reply").check()
    page.get_by_label("I accept the").check()
    shop.press("Open the front desk")
    page.get_by_role("heading", name="To your first answer").wait_for()


def _connect_the_number(shop: Shop) -> None:
    page, product = shop.page, shop.product
    page.get_by_role("link", name="Connect", exact=True).click()
    page.get_by_label("Name of the number").fill("The counter")
    page.get_by_label("This is our business's number").check()
    shop.press("Go on to the code")
    page.get_by_role("img", name="Code to scan with WhatsApp").wait_for()
    page.get_by_text("Waiting for a scan").wait_for()

    def waiting() -> list[str]:
        sessions = product.sim("GET", "/_sim/sessions")["sessions"]
        return [s["name"] for s in sessions if s["status"] == "SCAN_QR_CODE"]

    shop.session = product.until(waiting, "a session waits for its scan")[-1]
    product.sim("POST", f"/_sim/sessions/{shop.session}/scan", {"push_name": BUSINESS})
    # The page follows by itself.
    expect(page.get_by_text("Messages come in and go out.")).to_be_visible(timeout=15_000)


def _top_up(shop: Shop) -> None:
    beside(shop.product.rows, OFFER)
    page = shop.page
    page.get_by_role("link", name="Credits").first.click()
    page.get_by_role("region", name="Available").wait_for()
    before = shop.owner.credits()
    shop.press("Buy for €12")
    page.wait_for_url("**/checkout/**")
    shop.press("Pay")
    page.get_by_text("Thank you, it is paid").wait_for()
    assert shop.owner.credits() == before + 200


def _first_message(shop: Shop, phone: str) -> None:
    """The list is open when the customer writes: message and reply appear without a reload."""
    page = shop.page
    page.get_by_role("link", name="Inbox").first.click()
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_text("No conversations yet").wait_for()
    page.evaluate("window.neverLeft = true")
    shop.write(phone, "Do you bake on Sundays?")
    row = page.get_by_role("link", name=re.compile("Tess Hollow"))
    expect(row).to_be_visible(timeout=TOLD_MS)
    shop.shown_on(phone, "Do you bake on Sundays?")
    expect(row.get_by_role("img", name="The assistant")).to_be_visible(timeout=TOLD_MS)
    assert page.evaluate("window.neverLeft")
    row.click()
    page.get_by_text("The assistant answers.").wait_for()
    expect(_messages(page).get_by_text("Do you bake on Sundays?").first).to_be_visible()


def _take_over_and_answer(shop: Shop, phone: str) -> None:
    page = shop.page
    page.evaluate("window.neverLeft = true")
    shop.press("Take over")
    page.get_by_text("Mara Quay answers until").wait_for()
    shop.write(phone, "Is that a person?")
    expect(_messages(page).get_by_text("Is that a person?")).to_be_visible(timeout=TOLD_MS)
    expect(page.get_by_text("so the assistant stayed silent")).to_be_visible(timeout=TOLD_MS)
    page.get_by_label("Your message").fill("It is: Mara here. We do, until noon.")
    shop.press("Send")
    assert shop.shown_on(phone, "Mara here")["author"] == "assistant"
    own = _messages(page).locator(".thread-line", has_text="Mara here")
    expect(own).to_contain_text("Mara Quay")
    expect(own.get_by_role("img", name="Read")).to_be_visible(timeout=TOLD_MS)
    assert page.evaluate("window.neverLeft")


def _send_a_file(shop: Shop, phone: str) -> None:
    page = shop.page
    page.get_by_label("Attach a file").set_input_files(
        [{"name": "sunday-cakes.png", "mimeType": "image/png", "buffer": png("Sunday cakes")}]
    )
    page.get_by_text("sunday-cakes.png").wait_for()
    page.get_by_label("Your message").fill("These are Sunday's.")
    shop.press("Send")
    shop.shown_on(phone, "These are Sunday's.")
    own = _messages(page).locator(".thread-line", has_text="These are Sunday's.")
    expect(own.get_by_role("img", name="Picture")).to_be_visible(timeout=TOLD_MS)
    expect(page.get_by_text("sunday-cakes.png")).to_be_hidden()


def _sort(shop: Shop) -> None:
    page = shop.page
    page.get_by_label("Your message").fill("Comes every Sunday")
    shop.press("Note")
    expect(_messages(page).locator(".thread-note")).to_contain_text("Comes every Sunday")
    page.get_by_label("New label").fill("regular")
    shop.press("Add the label")
    expect(page.get_by_role("button", name="Take regular off")).to_be_visible()
    page.get_by_label("Person in charge").last.select_option(label="Mara Quay")
    page.get_by_text("Your changes are saved.").wait_for()


def _use_a_canned_reply(shop: Shop, phone: str) -> None:
    page = shop.page
    page.get_by_role("link", name="Canned replies").click()
    shop.press("New reply")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Shortcut").fill("thanks")
    dialog.get_by_label("Text").fill("Thank you, see you on Sunday!")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_text("Your changes are saved.").wait_for()
    page.get_by_role("link", name="Inbox").first.click()
    page.get_by_role("link", name="Mine").click()
    page.get_by_role("link", name=re.compile("Tess Hollow")).click()
    page.get_by_label("Your message").press_sequentially("/th")
    page.get_by_role("option", name="/thanks").click()
    shop.press("Send")
    shop.shown_on(phone, "Thank you, see you on Sunday!")


def _give_back(shop: Shop, phone: str) -> None:
    page = shop.page
    shop.press("Give back")
    page.get_by_text("The assistant answers.").wait_for()
    shop.write(phone, "And on Mondays?")
    shop.shown_on(phone, "And on Mondays?")
    answer = _messages(page).locator(".by-assistant", has_text="And on Mondays?")
    expect(answer).to_be_visible(timeout=TOLD_MS)


def _on_a_phone(shop: Shop) -> None:
    """The same by thumb: from the list into the conversation, take over, answer, back."""
    page, phone = shop.page, shop.product.phone()
    page.set_viewport_size(PHONE)
    shop.write(phone, "Are you there on the phone?")
    shop.shown_on(phone, "on the phone?")
    shop.owner.open("/home")
    quick = page.get_by_role("navigation", name="Quick")
    quick.get_by_role("link", name="Inbox").click()
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("link", name=re.compile("on the phone")).click()
    page.get_by_text("The assistant answers.").wait_for()
    for name in ("Take over", "Send"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["height"] >= 44, f"{name} is {box['height']} px high"
        assert box["y"] + box["height"] <= PHONE["height"], f"{name} is below the screen"
    shop.press("Take over")
    page.get_by_text("Mara Quay answers until").wait_for()
    page.get_by_label("Your message").fill("On my way!")
    shop.press("Send")
    shop.shown_on(phone, "On my way!")
    page.get_by_role("link", name=re.compile("Tess Hollow")).last.click()
    page.get_by_role("link", name="Open the contact").wait_for()
    page.get_by_role("link", name="Back to the conversation").click()
    shop.press("Give back")
    page.get_by_text("The assistant answers.").wait_for()
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_role("navigation", name="Views").wait_for()
    page.set_viewport_size(DESK)


def _receive_a_gift(shop: Shop, admin: Visitor) -> None:
    """An admin, who proved a second factor, moves credits with a reason."""
    console = admin.open("/admin/businesses")
    console.get_by_role("link", name=BUSINESS).first.click()
    credits_ = console.get_by_role("region", name="Credits")
    credits_.get_by_role("textbox", name="Credits", exact=True).fill("25")
    credits_.get_by_label("Reason").fill("for the opening of the quay")
    admin.press("Move the credits")
    console.get_by_text("The credits are moved.").wait_for()


def _from_the_charge_to_the_reply(shop: Shop) -> None:
    page = shop.owner.open("/billing")
    page.get_by_role("link", name="Ledger", exact=True).click()
    gift = page.get_by_role("row").filter(has_text="for the opening of the quay")
    expect(gift).to_contain_text("+25")
    page.get_by_role("link", name="Show the reply").last.click()
    page.wait_for_url(re.compile(r".*/inbox/[0-9a-f-]+#line-[0-9a-f-]+"))
    reply = page.url.partition("#")[2]
    expect(page.locator(f"#{reply}")).to_contain_text("Do you bake on Sundays?")
    shop.owner.examine("inbox-from-the-ledger")


def _messages(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages")
