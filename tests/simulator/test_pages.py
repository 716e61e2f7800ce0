"""The pages in plain HTTP: whole, translated, nothing inline, nothing from elsewhere."""

import re

import httpx
import pytest

from tests.simulator.conftest import Sim

PHONE = "12025550147"


@pytest.mark.parametrize("path", ["/", "/mail"])
def test_pages_run_no_inline_code_and_ask_nobody_else(sim: Sim, path: str) -> None:
    page = sim.http.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []
    assert re.findall(r"\son\w+=|\sstyle=|<style", page.text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text) == []
    for asset in re.findall(r"(?:src|href)=\"(/_static/[^\"]+)\"", page.text):
        assert sim.http.get(asset).status_code == 200


def test_scripts_import_only_what_is_served(sim: Sim) -> None:
    for name in ("phone.js", "mail.js", "bubbles.js"):
        script = sim.http.get(f"/_static/{name}")
        assert script.headers["content-type"].startswith("text/javascript")
        for imported in re.findall(r"from \"\./([^\"]+)\"", script.text):
            assert sim.http.get(f"/_static/{imported}").status_code == 200


def test_the_phone_page_says_who_answers(sim: Sim) -> None:
    page = sim.http.get("/").text
    assert "A small demo model answers here" in page
    assert 'aria-label="Write as the customer"' in page
    assert 'aria-label="Write as the business owner"' in page


def test_mail_is_shown_but_cannot_act(sim: Sim) -> None:
    mail = {
        "from": "a@b.example",
        "to": ["c@d.example"],
        "subject": "<b>Hi</b>",
        "html": "<script>top.location='/'</script><p>there</p>",
        "text": "there",
    }
    headers = {"authorization": "Bearer re_key"}
    email_id = sim.http.post("/resend/emails", json=mail, headers=headers).json()["id"]
    page = sim.http.get("/mail").text
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page
    assert (
        '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"'
        f' title="The e-mail as its reader sees it" src="/mail/{email_id}/html">' in page
    )
    letter = sim.http.get(f"/mail/{email_id}/html")
    assert letter.text == mail["html"]
    assert letter.headers["content-security-policy"].startswith(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'"
    )


def test_what_is_not_there(sim: Sim) -> None:
    assert sim.http.get("/nothing").status_code == 404
    assert sim.http.get("/mail/none/html").status_code == 404
    assert sim.http.head("/").status_code == 200


def test_changes_are_told_live(sim: Sim) -> None:
    sim.session()
    with httpx.stream("GET", f"{sim.url}/_sim/live", timeout=10) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        sim.customer(PHONE, "hello")
        data = next(line for line in lines if line.startswith("data:"))
        assert data == f'data: {{"kind":"message","phone":"{PHONE}"}}'
