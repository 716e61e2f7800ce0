"""What a letter looks like: two parts that say the same, nothing that breaks out of them."""

import pytest

from app.core.errors import RefusedError
from app.core.mail.letter import Action, Letter, render

EVIL = '<script>alert("x")</script>'


def test_both_parts_say_everything():
    letter = Letter(
        subject="Confirm\r\nBcc: x",
        preheader="One more step",
        paragraphs=("Hello Ada,", "please confirm."),
        facts=(("Amount", "€20.00"),),
        code="424242",
        action=Action("Confirm", "https://parley.example/c?a=1&b=2"),
        closing=("Until soon.",),
        footnote="You signed up.",
    )
    mail = render(letter)
    assert mail.subject == "Confirm Bcc: x"
    for text in ("Hello Ada,", "please confirm.", "€20.00", "424242", "Until soon.", "signed up"):
        assert text in mail.text
        assert text in mail.html
    assert "\nhttps://parley.example/c?a=1&b=2\n" in mail.text
    assert 'href="https://parley.example/c?a=1&amp;b=2"' in mail.html
    assert "One more step" in mail.html
    assert "prefers-color-scheme:dark" in mail.html
    assert len(mail.html) < 12_000


def test_nothing_breaks_out_of_the_html():
    letter = Letter(
        subject=EVIL,
        preheader=EVIL,
        paragraphs=(EVIL,),
        facts=((EVIL, EVIL),),
        code=EVIL,
        action=Action(EVIL, 'https://x.example/"><script>'),
        closing=(EVIL,),
        footnote=EVIL,
        locale='en"><script>',
    )
    assert "<script" not in render(letter).html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "https://", "ftp://x/y"])
def test_an_action_leads_to_the_web(url: str):
    with pytest.raises(RefusedError):
        Action("Go", url)


def test_an_empty_letter_is_refused():
    with pytest.raises(RefusedError):
        render(Letter(subject=" ", preheader="", paragraphs=("x",)))
    with pytest.raises(RefusedError):
        render(Letter(subject="x", preheader="", paragraphs=()))
