"""The pages of a business that is at work, each opened with something on it and photographed."""

import re

from playwright.sync_api import expect

from browser.shop import Shop
from browser.visitor import beside

_ASKED = (
    "insert into unanswered_questions (tenant_id, id, question, normal, reason, times)"
    " select id, gen_random_uuid(), $1, lower($1), 'missing_knowledge', 3 from tenants"
    " where name = $2"
)
_READ_MS = 20_000


def look_around(shop: Shop, business: str) -> None:
    """Go through the pages as the business's owner."""
    shop.owner.open("/home")
    shop.owner.examine("busy-home")
    shop.owner.open("/contacts")
    shop.owner.examine("busy-contacts")
    shop.owner.open("/numbers")
    shop.owner.examine("busy-numbers")
    _number_and_poster(shop)
    _what_it_knows(shop, business)
    _what_it_is(shop)
    _behind_a_message(shop)
    page = shop.owner.open("/billing/statements")
    page.get_by_role("link", name=re.compile("^Open ")).first.click()
    page.wait_for_url(re.compile(r"/billing/statements/\d{4}-\d{2}$"))
    shop.owner.examine("credits-statement")
    page = shop.owner.open("/contacts")
    page.get_by_role("link", name="Tess Hollow").first.click()
    page.get_by_role("link", name="Merge…").click()
    page.get_by_role("heading", name="Merge with Tess Hollow").wait_for()
    shop.owner.examine("contact-merge")


def _number_and_poster(shop: Shop) -> None:
    page = shop.owner.open("/numbers")
    page.get_by_role("link", name="The counter", exact=True).click()
    page.get_by_text("Messages come in and go out.").wait_for()
    shop.owner.examine("number")
    shop.press("New poster")
    page.get_by_label("Where will it hang?").fill("Shop window")
    shop.press("Make the poster")
    page.get_by_role("region", name="The poster").wait_for()
    shop.owner.examine("poster")


def _what_it_knows(shop: Shop, business: str) -> None:
    page = shop.owner.open("/knowledge/answers/new")
    page.get_by_label("Question").fill("Do you make birthday cakes?")
    page.get_by_role("textbox", name="Answer").fill("Every day but Monday.")
    shop.press("Save")
    page.get_by_role("link", name="Do you make birthday cakes?").click()
    page.get_by_role("heading", name="Answer").wait_for()
    shop.owner.examine("knowledge-answer-kept")
    shop.owner.open("/knowledge")
    page.get_by_role("button", name="Upload files").first.click()
    text = {"name": "prices.txt", "mimeType": "text/plain", "buffer": b"A tart costs 4 euros."}
    page.get_by_label("Files", exact=True).last.set_input_files([text])
    shop.press("Upload")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=_READ_MS)
    shop.owner.examine("knowledge-read")
    page.get_by_role("link", name="prices").click()
    page.get_by_role("heading", name="prices").wait_for()
    shop.owner.examine("knowledge-source")
    beside(shop.product.rows, _ASKED, "Do you bake with rye?", business)
    shop.owner.open("/knowledge/unanswered")
    page.get_by_role("link", name="Add an answer").first.click()
    page.get_by_role("heading", name="Write an answer").wait_for()
    shop.owner.examine("knowledge-question")


def _what_it_is(shop: Shop) -> None:
    page = shop.owner.open("/assistant")
    page.get_by_label("In your own words").fill("Speaks as the counter of a small bakery.")
    shop.press("Save the draft")
    shop.press("Publish")
    shop.press("Publish now")
    page.get_by_text("Version 1 answers your customers").wait_for()
    shop.owner.examine("busy-assistant")
    shop.owner.open("/assistant/versions")
    page.get_by_role("link", name="Look").click()
    page.get_by_role("heading", name="Version 1").wait_for()
    shop.owner.examine("assistant-version")
    shop.owner.open("/assistant/tools/new")
    page.get_by_label("Name", exact=True).fill("find_order")
    page.get_by_label("What it does, and when to use it").fill("Finds an order by its number.")
    page.get_by_label("Address").fill("https://shop.example.com/orders/{{order_id}}")
    shop.press("Save")
    page.wait_for_url(re.compile(r"/assistant/tools/[0-9a-f-]+$"))
    shop.owner.examine("assistant-tool-kept")


def _behind_a_message(shop: Shop) -> None:
    page = shop.owner.open("/inbox?view=all")
    page.get_by_role("link", name=re.compile("Tess Hollow")).last.click()
    why = page.get_by_role("link", name="Why?").last
    why.wait_for()
    address = why.get_attribute("href") or ""
    last = page.locator(".thread-line").last.get_attribute("id") or ""
    shop.owner.open(address)
    shop.owner.examine("inbox-why")
    conversation = address.partition("/messages/")[0]
    shop.owner.open(f"{conversation}/before/{last.removeprefix('line-')}")
    shop.owner.examine("inbox-earlier")
