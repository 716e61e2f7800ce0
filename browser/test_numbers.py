"""A number's whole life-cycle as its page tells it: codes, passkeys, losses and how they end."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.cli.local.http_client import request
from browser.visitor import Visitor, beside
from tests.journeys.stack import Journey

# The page asks every three seconds.
FOLLOWED_MS = 15_000
# Six codes in five seconds instead of three minutes.
HURRY = 0.03
WORKS = "Messages come in and go out."
SOON = "update channels set check_due_at = now() where session = $1"


@pytest.fixture
def hurried(product: Journey) -> Iterator[None]:
    """Pairing codes that live for less than a second."""
    product.sim("POST", "/_sim/clock", {"pairing_scale": HURRY})
    yield
    product.sim("POST", "/_sim/clock", {"pairing_scale": 1})


def test_six_codes_nobody_scans(owner: Visitor, product: Journey, hurried: None):
    page = _new_number(owner, "The back door")
    page.get_by_role("img", name="Code to scan with WhatsApp").wait_for()
    _follows(page, "Nobody scanned the code in time.")
    owner.examine("number-expired")
    product.sim("POST", "/_sim/clock", {"pairing_scale": 1})
    owner.press("Show a new code")
    _follows(page, "Scan the code with the phone of this number.")
    _remove(owner)


def test_from_the_code_to_a_loss_and_back(owner: Visitor, product: Journey):
    page = _new_number(owner, "The garden gate")
    page.get_by_role("img", name="Code to scan with WhatsApp").wait_for()
    session = _session(product)
    owner.examine("number-qr")
    page.get_by_text("No camera? Link with a code instead").click()
    page.get_by_label("Phone number").fill("+353 85 555 0147")
    owner.press("Get a code")
    page.get_by_text("Then type:").wait_for()
    assert len((page.locator(".passkey-code").text_content() or "").strip()) >= 8
    owner.examine("number-code")
    page.get_by_role("link", name="Refresh by hand").click()
    _passkeys(owner, product, session)
    _losses(owner, product, session)
    _remove(owner)


def _passkeys(owner: Visitor, product: Journey, session: str) -> None:
    page = owner.page
    product.sim("POST", f"/_sim/sessions/{session}/scan", {"passkey": "confirm"})
    _follows(page, "WhatsApp asks for a passkey")
    owner.examine("number-passkey")
    asks = {"status": "PASSKEY_CONFIRMATION_REQUIRED", "data": {"code": "4711"}}
    product.sim("POST", f"/_sim/sessions/{session}/status", asks)
    _follows(page, "Compare the code here with the one on the phone.")
    expect(page.get_by_text("4711")).to_be_visible()
    owner.examine("number-passkey-code")
    owner.press("The codes are the same")
    _follows(page, WORKS)


def _losses(owner: Visitor, product: Journey, session: str) -> None:
    """The connection fails and is brought back; the webhooks are lost and are put back."""
    page = owner.page
    product.sim("POST", f"/_sim/sessions/{session}/status", {"status": "FAILED"})
    owner.open("/home")
    _says_soon(product, page, "The garden gate is not connected")
    here = page.get_by_role("listitem").filter(has_text="The garden gate is not connected")
    here.get_by_role("link", name="Reconnect").click()
    page.get_by_text("WhatsApp closed the connection.").wait_for()
    owner.examine("number-lost")
    owner.press("Reconnect")
    _says_soon(product, page, WORKS)
    product.sim("POST", "/_sim/restart", {"keep": "sessions"})
    assert not _webhooks(product, session)

    def told() -> bool:
        beside(product.rows, SOON, session)
        return bool(_webhooks(product, session))

    product.until(told, "the session has its configuration again", wait_s=40)
    _says_soon(product, page, WORKS)
    owner.examine("number-repaired")


def _webhooks(product: Journey, session: str) -> list[Any]:
    """Return where WAHA tells what happens in a session."""
    key = {"X-Api-Key": product.stack.environment["WAHA_API_KEY"]}
    url = f"{product.simulator_url}/api/sessions/{session}"
    config = request("GET", url, headers=key).json().get("config") or {}
    return list(config.get("webhooks") or [])


def _says_soon(product: Journey, page: Page, words: str) -> None:
    """Load a page that does not follow by itself until it says this."""

    def says() -> bool:
        page.reload()
        return page.get_by_text(words).is_visible()

    product.until(says, f"the page says {words!r}")


def _new_number(owner: Visitor, name: str) -> Page:
    page = owner.open("/numbers/new")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Name of the number").fill(name)
    page.get_by_label("This is our business's number").check()
    owner.press("Go on to the code")
    return page


def _session(product: Journey) -> str:
    """Return the session that waits for its scan."""
    sessions = product.sim("GET", "/_sim/sessions")["sessions"]
    return str([s["name"] for s in sessions if s["status"] == "SCAN_QR_CODE"][-1])


def _follows(page: Page, words: str) -> None:
    """Expect the page to say this by itself."""
    expect(page.get_by_text(words)).to_be_visible(timeout=FOLLOWED_MS)


def _remove(owner: Visitor) -> None:
    owner.press("Remove")
    owner.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    owner.page.wait_for_url("**/numbers")
