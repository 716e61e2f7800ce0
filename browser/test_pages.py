"""Every page, desktop and phone, light and dark: accessible, within the screen, quiet."""

import pytest

from browser.visitor import Visitor

STRANGERS = {
    "product": "/",
    "terms": "/terms",
    "privacy": "/privacy",
    "sign-up": "/sign-up",
    "login": "/login",
    "forgot-password": "/forgot-password",
    "reset-password": "/reset-password?token=none",
    "verify-email": "/verify-email",
    "change-email": "/change-email?token=none",
}
OWNERS = {
    "home": "/home",
    "home-week": "/home?days=7",
    "numbers": "/numbers",
    "numbers-new": "/numbers/new",
    "businesses": "/businesses",
    "new-business": "/businesses/new",
    "account": "/account",
    "password": "/account/password",
    "email": "/account/email",
    "authenticator": "/account/authenticator",
    "passkey": "/account/passkeys/new",
    "team": "/settings/team",
    "business": "/settings/business",
    "activity": "/settings/audit",
    "api-keys": "/settings/keys",
    "data": "/settings/data",
    "knowledge": "/knowledge",
    "knowledge-answers": "/knowledge/answers",
    "knowledge-answer": "/knowledge/answers/new",
    "knowledge-unanswered": "/knowledge/unanswered",
    "knowledge-try": "/knowledge/try?q=sourdough",
    "assistant": "/assistant",
    "assistant-versions": "/assistant/versions",
    "assistant-tools": "/assistant/tools",
    "assistant-tool": "/assistant/tools/new",
    "assistant-playground": "/assistant/playground",
    "contacts": "/contacts",
    "contacts-import": "/contacts/import",
    "notifications": "/account/notifications",
    "phone": "/account/phone",
    "credits": "/billing",
    "credits-ledger": "/billing/ledger",
    "credits-statements": "/billing/statements",
    "credits-limits": "/billing/limits",
    "credits-proof": "/billing/proof",
    "credits-details": "/billing/details",
}


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
