"""Contacts over HTTP: found, changed, merged, imported, exported, erased, each by who may."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.ids import uuid7
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import MARK, NUMBER, Callers
from tests.worlds import World

pytestmark = pytest.mark.anyio

LIST = """Telefone;Nome;Etiquetas;Notas
+351 912 345 678;Ana Duarte;regular, Wholesale;Likes rye
12;Nobody;;
+351 912345678;Ana again;;
;No number;;
00447400123456;=Ben Cole;;
"""


async def contact(world: World, callers: Callers, name: str, phone: str = "") -> UUID:
    contact_id, tenant_id = uuid7(), callers.victim.tenant_id
    await world.run(
        "insert into contacts (tenant_id, id, name) values ($1, $2, $3)",
        tenant_id, contact_id, name,
    )  # fmt: skip
    if phone:
        await world.run(
            "insert into contact_addresses (tenant_id, id, contact_id, kind, address)"
            " values ($1, $2, $3, 'phone', $4)",
            tenant_id, uuid7(), contact_id, f"{phone}@c.us",
        )  # fmt: skip
    return contact_id


async def stored(world: World, contact_id: UUID) -> dict[str, Any]:
    return await world.one("select * from contacts where id = $1", contact_id)


async def as_agent(world: World, callers: Callers) -> None:
    await world.run("update memberships set role = 'agent' where tenant_id = $1",
                    callers.victim.tenant_id)  # fmt: skip


async def upload(owner: Browsing, content: str | bytes) -> httpx.Response:
    token = await owner.token("/contacts/import")
    return await owner.http.post(
        "/contacts/import",
        data={"csrf_token": token},
        files={"file": ("kunden.csv", content, "text/csv")},
    )


async def test_a_contact_is_found_by_name_and_by_number(
    world: World, owner: Browsing, callers: Callers
):
    await world.run("update tenants set country = 'DE' where id = $1", callers.victim.tenant_id)
    await contact(world, callers, "Somebody Else", "351911111111")
    typed = ("lighthouse", NUMBER[:6], f"+{NUMBER}", "01515 5507777", "0049 1515 550")
    for words in typed:
        found = await owner.http.get("/contacts", params={"words": words})
        assert MARK in found.text, words
        assert "Somebody Else" not in found.text, words


async def test_a_search_finds_what_was_typed_and_no_pattern(
    world: World, owner: Browsing, callers: Callers
):
    await contact(world, callers, "100% Bakery")
    assert "100% Bakery" in (await owner.get("/contacts?words=100%25 b")).text
    assert MARK not in (await owner.get("/contacts?words=%25")).text
    assert "Nobody was found" in (await owner.get("/contacts?words=l_ghthouse")).text
    assert (await owner.get("/contacts?state=all")).status_code == 400


async def test_changing_a_contact_keeps_its_words_out_of_the_trail(
    world: World, owner: Browsing, callers: Callers
):
    contact_id = await contact(world, callers, "Old Name", "351922222222")
    here = f"/contacts/{contact_id}"
    form = {"name": " Rosa   Lind ", "notes": "Allergic to nuts", "tags": "VIP, vip , baker"}
    saved = await owner.send(here, here, **form)
    assert saved.headers["location"] == here
    page = await owner.get(here)
    assert "Rosa Lind" in page.text
    assert 'value="baker, vip"' in page.text
    assert "+351 922 222 222" in page.text
    assert "Rosa Lind" in (await owner.get("/contacts?tag=vip")).text
    (entry,) = await world.all("select * from audit_log where subject = $1", str(contact_id))
    assert (entry["action"], json.loads(entry["after"])) == (
        "contact.change",
        {"changed": ["name", "notes", "tags"]},
    )
    refused = await owner.send(here, here, name="x" * 101, tags="", notes="")
    assert refused.status_code == 400
    assert 'id="name-error"' in refused.text


@pytest.mark.parametrize(("what", "column"), [("block", "blocked_at"), ("opt_out", "opted_out_at")])
async def test_marking_a_contact_and_taking_it_back(
    world: World, owner: Browsing, callers: Callers, what: str, column: str
):
    contact_id = await contact(world, callers, f"Marked {what}")
    here = f"/contacts/{contact_id}"
    for on in ("yes", "yes", "no"):
        assert (await owner.send(here, f"{here}/mark", what=what, on=on)).status_code == 303
        assert ((await stored(world, contact_id))[column] is not None) == (on == "yes")
    actions = await world.column(
        "select action from audit_log where subject = $1 order by id", str(contact_id)
    )
    assert actions == [f"contact.{what}", f"contact.undo_{what}"]
    assert (await owner.send(here, f"{here}/mark", what="praise", on="yes")).status_code == 400


async def test_two_contacts_become_one(world: World, owner: Browsing, callers: Callers):
    kept = await contact(world, callers, "Mia Twice", "351933333333")
    gone = await contact(world, callers, "Mia Second", "351944444444")
    for contact_id, tag in ((kept, "a"), (gone, "b")):
        here = f"/contacts/{contact_id}"
        await owner.send(here, here, name="Mia", tags=tag, notes=f"note {tag}")
    here = f"/contacts/{kept}/merge"
    assert str(gone) in (await owner.get(f"{here}?words=351944")).text
    token = await owner.token("/contacts")
    for other in (str(kept), str(uuid7()), ""):
        form = {"csrf_token": token, "other": other}
        assert (await owner.http.post(here, data=form)).status_code in {400, 404, 409}
    merged = await owner.http.post(here, data={"csrf_token": token, "other": str(gone)})
    assert merged.headers["location"] == f"/contacts/{kept}"
    page = await owner.get(f"/contacts/{kept}")
    for words in ("+351 933 333 333", "+351 944 444 444", 'value="a, b"', "note a\nnote b"):
        assert words in page.text
    assert (await owner.get(f"/contacts/{gone}")).headers["location"] == f"/contacts/{kept}"
    assert "Mia Second" not in (await owner.get("/contacts?words=mia")).text


async def test_a_list_is_read_shown_and_taken_once(world: World, owner: Browsing, callers: Callers):
    known = await contact(world, callers, "Ben Known", "447400123456")
    read = await upload(owner, LIST.encode("cp1252"))
    here = read.headers["location"]
    preview = await owner.get(here)
    for words in ("Ana Duarte", "+351 912 345 678", "2 contacts can be imported", "Line 3"):
        assert words in preview.text
    assert "stands in the list twice" in preview.text
    assert "The phone number is missing." in preview.text
    for _ in range(2):
        taken = await owner.http.post(
            here, data={"csrf_token": await owner.token("/contacts"), "tag": "Fair 2026"}
        )
        assert taken.headers["location"] == here
    assert "1 added, 1 completed" in (await owner.get(here)).text
    assert (await stored(world, known))["name"] == "Ben Known"
    ana = await world.one("select * from contacts where name = 'Ana Duarte'")
    assert ana["notes"] == "Likes rye"
    assert ana["imported_at"] is not None
    tags = await world.column(
        "select tag from contact_tags where contact_id = $1 order by tag", ana["id"]
    )
    assert tags == ["fair 2026", "regular", "wholesale"]
    left = await world.column("select rows from contact_imports where done_at is not null")
    assert left == ["{}"]
    assert await world.column("select 1 from conversations where contact_id = $1", ana["id"]) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,notes\nAna,x\n", "one of them has to be phone"),
        ("phone\n", "empty below its first line"),
        (b"\x00\x01\x02", "no text"),
        ("phone\n" + "+351912345678\n" * 80_000, "larger than 1 MB"),
    ],
)
async def test_what_is_no_list_is_refused(owner: Browsing, content: str | bytes, words: str):
    refused = await upload(owner, content)
    assert refused.status_code in {400, 413}
    assert words in refused.text or refused.status_code == 413


async def test_contacts_can_be_taken_away(world: World, owner: Browsing, callers: Callers):
    contact_id = await contact(world, callers, "=cmd()", "351955555555")
    table = await owner.get("/contacts/export.csv")
    assert table.text.startswith("name,whatsapp_name,phone,tags")
    assert "'=cmd(),,351955555555" in table.text
    one = await owner.get(f"/contacts/{callers.ids['contact_id']}/export.json")
    assert one.json()["messages"][0]["text"] == MARK
    messages = await owner.get(f"/contacts/{callers.ids['contact_id']}/messages.csv")
    assert messages.text.splitlines()[1].endswith(f"in,customer,text,{MARK}")
    assert (await owner.get(f"/contacts/{uuid7()}/export.json")).status_code == 404
    erased = await owner.send(f"/contacts/{contact_id}", f"/contacts/{contact_id}/erase")
    assert erased.headers["location"] == "/contacts"
    assert (await owner.get(f"/contacts/{contact_id}")).status_code == 404
    row = await stored(world, contact_id)
    assert (row["name"], row["erased_at"] is not None) == (None, True)


async def test_an_agent_reads_and_tags_but_takes_nothing_away(
    world: World, owner: Browsing, callers: Callers
):
    contact_id = await contact(world, callers, "Seen By Agent")
    token = await owner.token("/contacts")
    await as_agent(world, callers)
    try:
        page = await owner.get(f"/contacts/{contact_id}")
        assert "Seen By Agent" in page.text
        assert "Erase for good" not in page.text
        for path in (
            "/contacts/import",
            "/contacts/export.csv",
            f"/contacts/{contact_id}/export.json",
        ):
            assert (await owner.get(path)).status_code == 403
        form = {"csrf_token": token}
        refused = await owner.http.post(f"/contacts/{contact_id}/erase", data=form)
        assert refused.status_code == 403
    finally:
        await world.run("update memberships set role = 'owner' where tenant_id = $1",
                        callers.victim.tenant_id)  # fmt: skip
