"""A business on the running product: its owner's browser, its session, its customers."""

from playwright.sync_api import Page

from browser.visitor import Visitor
from tests.journeys.stack import Journey


class Shop:
    """A business on the running product: its owner's browser, its session, its customers."""

    def __init__(self, product: Journey, owner: Visitor) -> None:
        self.product, self.owner = product, owner
        self.session = ""

    @property
    def page(self) -> Page:
        return self.owner.page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def write(self, phone: str, text: str) -> None:
        payload = {"text": text, "session": self.session, "push_name": "Tess Hollow"}
        self.product.sim("POST", f"/_sim/customers/{phone}/messages", payload)

    def shown_on(self, phone: str, words: str) -> dict[str, object]:
        """Wait until the customer's phone shows a text of ours; return it with its ticks."""

        def found() -> dict[str, object] | None:
            shown = self.product.sim("GET", f"/_sim/customers/{phone}/messages")["messages"]
            ours = [m for m in shown if m["author"] == "assistant" and words in (m["text"] or "")]
            return ours[-1] if ours else None

        return self.product.until(found, f"{phone} shows {words!r}")
