"""The letters about accounts and teams: every one in each language, in both parts."""

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.mail.letter import Letter, render
from tenants.access import Role
from tenants.letters import Change, Letters
from tests.people.house import PASSWORD, House, device

VALUES: dict[str, Any] = {
    "name": "Ada",
    "token": "t" * 43,
    "change": Change.PASSWORD,
    "agent": "Firefox on Linux",
    "address": "192.0.2.1",
    "when": datetime(2026, 11, 3, 9, 41, tzinfo=UTC),
    "due": datetime(2026, 11, 3, 9, 41, tzinfo=UTC),
    "business": "Harbour Bakery",
    "inviter": "Grace",
    "role": Role.MANAGER,
    "days": 3,
}


def written(language: str) -> dict[str, Letter]:
    letters = Letters("https://desk.example.org/", language)
    return {
        name: write(**{p: VALUES[p] for p in inspect.signature(write).parameters})
        for name, write in inspect.getmembers(letters, inspect.ismethod)
        if not name.startswith("_")
    }


def said(letter: Letter) -> set[str]:
    action = (letter.action.label,) if letter.action else ()
    facts = tuple(label for label, _ in letter.facts)
    texts = (letter.subject, *letter.paragraphs, *facts, *action, *letter.closing, letter.footnote)
    return {text for text in texts if text}


@pytest.mark.parametrize("language", ["es", "pt-BR"])
def test_nothing_of_a_letter_stays_english(language: str):
    english, theirs = written("en"), written(language)
    assert len(theirs) >= 14
    for name, letter in theirs.items():
        assert letter.locale == language[:2]
        assert said(letter) & said(english[name]) == set(), name
        mail = render(letter)
        assert f'<html lang="{language[:2]}">' in mail.html
        assert all(" ".join(text.split()) in " ".join(mail.text.split()) for text in said(letter)
                   if text != letter.subject)  # fmt: skip


@pytest.mark.parametrize("change", Change)
def test_each_change_has_words(change: Change):
    letters = Letters("https://desk.example.org", "pt")
    assert letters.account_changed("Ada", change).preheader


@pytest.mark.anyio
async def test_the_readers_language_decides(house: House):
    owner = await house.owner()
    await house.execute("update users set locale = 'pt' where id = :id", id=owner.user_id)
    owner = await house.refreshed(owner)
    await house.accounts.change_password(owner, PASSWORD, "nove pontes e um mocho", device())
    assert "A sua senha foi alterada." in (await house.mails(owner.email))[-1]
    await house.execute("update tenants set locale = 'es'")
    await house.invitations.invite(owner, "new@example.org", Role.AGENT, device())
    assert "quiere que te unas" in (await house.mails("new@example.org"))[-1]
