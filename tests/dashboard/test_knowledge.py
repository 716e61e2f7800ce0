"""The pages of the knowledge: adding, progress, answers, unanswered questions; by role."""

from uuid import UUID

import pytest

from app.core.ids import uuid7
from app.http.csrf import make_token
from tenants.access import Role
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers, open_session
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio


async def files(browser: Browsing, *sent: tuple[str, bytes]):
    token = await browser.token("/knowledge")
    return await browser.http.post(
        "/knowledge/files",
        data={"csrf_token": token},
        files=[("files", (name, body, "application/octet-stream")) for name, body in sent],
    )


async def test_files_are_taken_and_removed(world: World, owner: Browsing, callers: Callers):
    sent = await files(owner, ("prices.csv", b"Part,Price\nA,4\n"), ("hours.txt", b"Nine to six."))
    assert sent.headers["location"] == "/knowledge"
    shown = (await owner.get("/knowledge")).text
    assert "prices.csv" in shown
    assert "Being read" in shown
    assert 'hx-trigger="every 2s"' in shown
    part = await owner.get("/knowledge", **{"HX-Request": "true", "HX-Request-Type": "partial"})
    assert part.text.lstrip().startswith("<section")
    source = await world.one("select id from knowledge_sources where title = 'hours.txt'")
    page = f"/knowledge/sources/{source['id']}"
    assert (await owner.send(page, f"{page}/remove")).headers["location"] == "/knowledge"
    assert (await owner.get(page)).status_code == 404
    actions = await world.column(
        "select action from audit_log where tenant_id = $1 and action like 'knowledge.%'",
        callers.victim.tenant_id,
    )
    assert sorted(actions) == ["knowledge.add", "knowledge.add", "knowledge.remove"]


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("tool.exe", b"MZ", "cannot be read"),
        ("empty.txt", b"", "is empty"),
        ("large.txt", b"x" * (20 * 1024 * 1024 + 1), "at most 20 MB"),
    ],
)
async def test_refused_files_say_why(owner: Browsing, name: str, body: bytes, words: str):
    answer = await files(owner, (name, body))
    assert answer.status_code == 400
    assert words in answer.text


async def test_a_site_is_added_with_its_options(world: World, owner: Browsing):
    added = await owner.send(
        "/knowledge", "/knowledge/pages", url="shop.example/help#top", scope="site",
        pages_max="30", sync_every_h="24",
    )  # fmt: skip
    assert added.headers["location"] == "/knowledge"
    row = await world.one("select * from knowledge_sources where kind = 'site'")
    assert (row["url"], row["pages_max"], row["sync_every_h"]) == (
        "https://shop.example/help", 30, 24,
    )  # fmt: skip
    page = f"/knowledge/sources/{row['id']}"
    await owner.send(page, f"{page}/sync")
    again = await world.one("select round from knowledge_sources where id = $1", row["id"])
    assert again["round"] == 2
    for url in ("http://10.0.0.1/", "ftp://shop.example/", ""):
        refused = await owner.send("/knowledge", "/knowledge/pages", url=url, sync_every_h="0")
        assert refused.status_code == 400, url


async def test_an_answer_from_pending_to_removed(world: World, owner: Browsing):
    form = {"question": "Do you sell hats?", "answer": "Yes.", "alternatives": "hats?\n\nany hats"}
    await owner.send("/knowledge/answers/new", "/knowledge/answers", status="pending", **form)
    row = await world.one("select * from question_answers where question = 'Do you sell hats?'")
    assert (row["status"], row["alternatives"]) == ("pending", ["hats?", "any hats"])
    listed = (await owner.get("/knowledge/answers?status=pending&q=HATS")).text
    assert "Do you sell hats?" in listed
    page = f"/knowledge/answers/{row['id']}"
    await owner.send("/knowledge/answers", f"{page}/approve")
    refused = await owner.send(page, page, **{**form, "answer": " "})
    assert refused.status_code == 400
    assert 'aria-describedby="answer' in refused.text
    await owner.send(page, page, **{**form, "answer": "Three kinds."})
    row = await world.one("select answer, status from question_answers where id = $1", row["id"])
    assert row == {"answer": "Three kinds.", "status": "approved"}
    await owner.send(page, f"{page}/remove")
    assert (await owner.get(page)).status_code == 404


async def test_an_unanswered_question_is_answered(world: World, owner: Browsing, callers: Callers):
    question_id = uuid7()
    await world.run(
        "insert into unanswered_questions (tenant_id, id, question, normal, reason, times)"
        " values ($1, $2, 'Is there a choir?', 'is there a choir', 'missing_knowledge', 3)",
        callers.victim.tenant_id,
        question_id,
    )
    shown = (await owner.get("/knowledge/unanswered")).text
    assert "Is there a choir?" in shown
    assert "asked 3 times" in shown
    page = f"/knowledge/unanswered/{question_id}"
    await owner.send(page, page, question="Is there a choir?", answer="On Mondays.")
    row = await world.one(
        "select state, answer_id from unanswered_questions where id = $1", question_id
    )
    pair = await world.one(
        "select answer, origin from question_answers where id = $1", row["answer_id"]
    )
    assert (row["state"], pair) == ("answered", {"answer": "On Mondays.", "origin": "unanswered"})
    assert "Is there a choir?" not in (await owner.get("/knowledge/unanswered")).text


async def test_agents_read_and_change_nothing(world: World, api: Api, callers: Callers):
    token = await open_session(world, "reader@example.org", callers.victim, Role.AGENT)
    name = callers.owner["Cookie"].partition("=")[0]
    async with Browsing(world, api, cookie=f"{name}={token}") as agent:
        shown = await agent.get("/knowledge")
        assert shown.status_code == 200
        assert "Upload files" not in shown.text
        csrf = make_token(world.settings.secret_keys[0], token)
        for path in ("/knowledge/answers", "/knowledge/pages", "/knowledge/files"):
            answer = await agent.http.post(path, data={"csrf_token": csrf, "question": "x"})
            assert answer.status_code == 403, path
        assert (await agent.get("/knowledge/answers/new")).status_code == 403


async def test_trying_a_question_works_without_a_model(owner: Browsing, callers: Callers):
    assert "Ask something" in (await owner.get("/knowledge/try")).text
    found = await owner.get("/knowledge/try?q=where+is+it")
    assert "Nothing was found" in found.text
    assert isinstance(callers.ids["answer_id"], UUID)
