"""A person at a browser: what they do, what their browser complains of, and how a page fares."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from browser import gallery
from tests.journeys.stack import Journey

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {1440: 900, 390: 844}
THEMES = ("light", "dark")
PASSWORD = "a quiet harbour at dawn"
# A theme changes colours and nothing else: the second one is asked for contrast alone.
_RULES = {"light": None, "dark": ["color-contrast"]}
# Colours that fade from one theme to the next are no page's contrast.
_STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"
_VIOLATIONS = """
async (rules) => (await axe.run(rules ? { runOnly: { type: "rule", values: rules } } : {}))
  .violations.map((v) => `${v.impact} ${v.id}: ${v.nodes[0].html.slice(0, 160)}`)
"""


def beside(act: Callable[..., Any], *values: Any) -> Any:
    """Do something with the database: not in the browser's thread, where a loop runs already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act, *values).result()


class Visitor:
    """One browser profile on the running product."""

    def __init__(self, product: Journey, browser: Browser, shots: Path) -> None:
        self.product = product
        self.url = product.stack.environment["APP_URL"]
        self.complaints: list[str] = []
        self.refused: set[str] = set()
        self._shots = shots
        # The policy of the pages forbids what axe does to look at them; our own are tested
        # without this (test_policy).
        # Without motion: contrast is not measured in the middle of a transition.
        self.context = browser.new_context(
            bypass_csp=True, locale="en", base_url=self.url, reduced_motion="reduce"
        )
        self.context.add_init_script(path=AXE)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._watch)

    def close(self) -> None:
        """Close the browser profile."""
        self.context.close()

    def open(self, path: str) -> Page:
        """Go to a page."""
        self.page.goto(path)
        return self.page

    def press(self, name: str) -> None:
        """Press the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.page.wait_for_load_state()

    def sign_up(self, name: str, email: str) -> None:
        """Register, follow the mail's link, sign in."""
        page = self.open("/sign-up")
        page.fill("#name", name)
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.check("#terms")
        self.press("Create my account")
        self.open(self.link_mailed_to(email, "/verify-email"))
        self.press("Confirm my address")
        self.sign_in(email)

    def sign_in(self, email: str) -> None:
        """Sign in with the password."""
        self.open("/login")
        self.page.fill("#email", email)
        self.page.fill("#password", PASSWORD)
        self.press("Sign in")

    def carry_authenticator(self) -> None:
        """Have the browser own a security key that answers by itself."""
        session = self.context.new_cdp_session(self.page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def open_business(self, name: str, slug: str) -> None:
        """Set a business up."""
        self.open("/businesses/new")
        self.page.fill("#name", name)
        self.page.fill("#slug", slug)
        self.page.select_option("#country", "IE")
        self.page.check("#disclosure")
        self.page.check("#terms")
        self.press("Open the front desk")
        self.page.wait_for_url("**/home")

    def credits(self) -> float:
        """Open the credits' page and return what is available."""
        figure = self.open("/billing").locator(".balance-figure").inner_text()
        return float(figure.split()[0].replace(",", ""))

    def link_mailed_to(self, email: str, path: str) -> str:
        """Wait for a mail with a link to this path, and return the link's path and query."""

        def found() -> str | None:
            mails = self.product.sim("GET", "/_sim/emails")["emails"]
            texts = [str(mail) for mail in mails if email in str(mail)]
            links = [m for t in texts for m in re.findall(rf"{self.url}({path}[^\s\"'\\<>&]+)", t)]
            return links[-1] if links else None

        return self.product.until(found, f"a mail to {email} with a link to {path}")

    def examine(self, name: str) -> None:
        """Look at the present page in each size and theme: axe, overflow; keep a picture."""
        route = re.sub(r"{\w+}", "[^/]+", gallery.path_of(name))
        at = urlsplit(self.page.url).path
        assert re.fullmatch(route, at), f"{name} stands at {gallery.path_of(name)}, not at {at}"
        self._shots.mkdir(parents=True, exist_ok=True)
        self.page.add_style_tag(content=_STILL)
        for width, height in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            overflow = self.page.evaluate("document.documentElement.scrollWidth")
            assert overflow <= width, f"{name} is {overflow} px wide on a screen of {width}"
            for theme in THEMES:
                scheme: Any = theme
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                path = self._shots / f"{name}-{width}-{theme}.png"
                self.page.screenshot(path=path, full_page=True)
                found = self.page.evaluate(_VIOLATIONS, _RULES[theme])
                assert found == [], f"{name}, {width} px, {theme}: {found}"

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused form is answered with its status, and Chromium reports each of them.
        expected = "Failed to load resource" in message.text and self.refused
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(f"{message.type}: {message.text} ({self.page.url})")

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"asks another host: {request.url}")
