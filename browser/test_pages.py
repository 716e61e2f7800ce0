"""Every page, desktop and phone, light and dark: accessible, within the screen, quiet."""

import pytest

from browser.gallery import OWNERS, STRANGERS
from browser.visitor import Visitor


@pytest.mark.parametrize("name", STRANGERS)
def test_pages_for_strangers(visitor: Visitor, name: str):
    visitor.open(STRANGERS[name])
    visitor.examine(name)


@pytest.mark.parametrize("name", OWNERS)
def test_pages_for_those_signed_in(owner: Visitor, name: str):
    owner.open(OWNERS[name])
    owner.examine(name)


def test_a_missing_page(visitor: Visitor):
    visitor.refused.add("404")
    visitor.open("/nothing/here")
    assert visitor.page.get_by_role("heading", name="There is nothing here").is_visible()
    visitor.examine("missing")
