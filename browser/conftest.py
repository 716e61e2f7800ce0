"""One running product and one browser for all browser tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser import chromium
from browser.visitor import Visitor, beside
from tests.journeys.stack import Journey

SHOTS = Path(__file__).parents[1] / "build" / "screenshots"
# On a busy machine a page comes late; how fast it is, benchmarks tell.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def product() -> Iterator[Journey]:
    """Server processes, simulator and databases on free ports."""
    data_dir = Path(tempfile.mkdtemp(prefix="parley-browser-"))
    # Passkeys belong to a name; browsers make none for an address.
    journey = Journey(data_dir, host="localhost")
    try:
        journey.start()
        yield journey
    finally:
        journey.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium.find(), args=chromium.arguments()
        )
        yield running
        running.close()


@pytest.fixture
def visitor(product: Journey, browser: Browser) -> Iterator[Visitor]:
    """A stranger with an empty browser; what their browser complains of fails the test."""
    someone = Visitor(product, browser, SHOTS)
    yield someone
    someone.close()
    assert someone.complaints == []


@pytest.fixture(scope="session")
def owner(product: Journey, browser: Browser) -> Iterator[Visitor]:
    """Somebody with a business, signed in once for all tests of its pages."""
    someone = Visitor(product, browser, SHOTS)
    someone.sign_up("Ana Lima", "ana@example.com")
    someone.open_business("Harbour Bakery", "harbour-bakery")
    yield someone
    someone.close()
    assert someone.complaints == []


@pytest.fixture(scope="session")
def admin(product: Journey, browser: Browser) -> Iterator[Visitor]:
    """A platform admin with a second factor, signed in once for all tests of the console."""
    someone = Visitor(product, browser, SHOTS)
    someone.sign_up("Grace Operator", "grace@example.com")
    beside(product.rows, "update users set admin = true where email = 'grace@example.com'")
    page = someone.open("/account/authenticator")
    someone.press("Show the QR code")
    page.fill("#code", pyotp.TOTP(page.text_content("#seed") or "").now())
    someone.press("Switch it on")
    yield someone
    someone.close()
    assert someone.complaints == []
