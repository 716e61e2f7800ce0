"""One running product and one browser for all browser tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from browser import chromium
from browser.visitor import Visitor
from tests.journeys.stack import Journey

SHOTS = Path(__file__).parents[1] / "build" / "screenshots"


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
