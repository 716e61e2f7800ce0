"""Money in the browser: topping up on the (simulated) payment page, an admin's gift, the reply."""

import re
from uuid import UUID

import pytest

from browser.gallery import ADMINS
from browser.visitor import Visitor, beside
from tests.journeys.stack import Journey

_OFFER = (
    "insert into top_up_packages (code, name, credits_ucr, price_minor, currency)"
    " values ('browser', 'A small one', 300000000, 1900, 'EUR') on conflict do nothing"
)


@pytest.mark.parametrize("name", ADMINS)
def test_pages_of_the_console(admin: Visitor, name: str):
    admin.open(ADMINS[name])
    admin.examine(name)


def test_an_admin_without_a_business_begins_in_the_console(admin: Visitor):
    admin.open("/home")
    admin.page.wait_for_url("**/admin")


def test_topping_up(product: Journey, owner: Visitor):
    beside(product.rows, _OFFER)
    before, page = owner.credits(), owner.page
    owner.press("Buy for €19")
    page.wait_for_url("**/checkout/**")
    page.get_by_role("button", name="Pay", exact=True).click()
    page.wait_for_url("**/billing/paid?session=**")
    page.get_by_role("heading", name="Your payment").wait_for()
    page.get_by_text("Thank you, it is paid").wait_for()
    owner.examine("paid")
    assert owner.credits() == before + 300
    # Stripe's page is another host, and the only one.
    owner.complaints[:] = [c for c in owner.complaints if product.simulator_url not in c]


def test_a_gift_and_the_reply_behind_a_charge(product: Journey, owner: Visitor, admin: Visitor):
    shop, phone = beside(product.business), product.phone()
    beside(
        product.rows,
        "insert into memberships (tenant_id, user_id, role)"
        " select $1, id, 'owner' from users where email = 'ana@example.com'",
        UUID(shop.tenant_id),
    )
    product.model("echo")
    product.write(shop, phone, "what a charge is for")
    product.wait_replies(phone)
    beside(product.wait_idle, shop)
    console = admin.open(f"/admin/businesses/{shop.tenant_id}")
    console.fill("#amount", "25")
    console.fill("#reason", "for the opening")
    admin.press("Move the credits")
    console.get_by_text("The credits are moved.").wait_for()
    admin.examine("console-business")
    page = owner.open("/businesses")
    page.locator(".row", has_text=shop.name).get_by_role("button", name="Open").click()
    page.wait_for_url("**/home")
    owner.open("/billing/ledger")
    page.get_by_text("+25").wait_for()
    page.get_by_text("for the opening").wait_for()
    page.get_by_role("link", name="Show the reply").first.click()
    page.wait_for_url(re.compile(r".*/inbox/[0-9a-f-]+#line-[0-9a-f-]+"))
    page.locator("[id^=line-]", has_text="what a charge is for").first.wait_for()
    owner.open("/businesses")
    page.locator(".row", has_text="Harbour Bakery").get_by_role("button", name="Open").click()
    page.wait_for_url("**/home")
