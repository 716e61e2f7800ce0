"""What no form of ours sends: it is refused or made harmless, never a fault and never a leak."""

import pytest

from app.channels.waha.files import _own_path
from app.http.csrf import make_token
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers
from tests.worlds import World

pytestmark = pytest.mark.anyio
TOOL = {
    "name": "find_parcel",
    "description": "Finds a parcel by its number.",
    "method": "GET",
    "url": "https://shop.example.com/parcels/{{parcel_id}}",
    "parameters": '{"properties": {"parcel_id": {"type": "string"}}}',
}


@pytest.mark.parametrize(
    "path",
    [
        "/inbox?q=a%00b",
        "/knowledge/answers?q=%00",
        "/inbox?before=0001-01-01T00:00:00%2B14:00~4a72d641-2107-4b6f-aa3b-0e8da1c6d6bd",
        "/inbox?view=everything",
        "/contacts?before=-1",
        "/assistant/versions/99999999999999999999",
        f"/assistant/versions/{'9' * 400}",
    ],
)
async def test_links_that_cannot_be_read(owner: Browsing, path: str):
    assert (await owner.get(path)).status_code in {400, 404}


@pytest.mark.parametrize(
    ("page", "action", "fields"),
    [
        ("/assistant/tools/new", "/assistant/tools/new", {**TOOL, "response_bytes_max": "nan"}),
        ("/assistant/tools/new", "/assistant/tools/new", {**TOOL, "timeout_s": "1e400"}),
        ("/inbox/replies", "/inbox/replies", {"shortcut": "\0", "body": "a\0b"}),
    ],
)
async def test_forms_that_cannot_be_read(
    owner: Browsing, page: str, action: str, fields: dict[str, str]
):
    assert (await owner.send(page, action, **fields)).status_code == 400


async def test_what_cannot_be_stored_is_replaced(world: World, owner: Browsing):
    await owner.send("/inbox/replies", "/inbox/replies", shortcut="odd", body="a\0b")
    row = await world.one("select body from canned_replies where shortcut = 'odd'")
    assert row["body"] == "a\ufffdb"
    saved = await owner.send(
        "/assistant", "/assistant", **{"key-²": "x", "key-" + "9" * 5_000: "y"}
    )
    assert saved.status_code == 303


async def test_a_tools_secrets_go_to_no_other_server(owner: Browsing):
    new = "/assistant/tools/new"
    made = await owner.send(new, new, **TOOL, **{"header-0": "X-Key", "secret-0": "of the shop"})
    here = made.headers["location"]
    elsewhere = {**TOOL, "url": "https://shop.example.com.other.example/{{parcel_id}}"}
    taken = await owner.send(here, here, **elsewhere, **{"keep-X-Key": "yes"})
    assert taken.status_code == 400
    assert "Give its headers again" in taken.text
    same = {**TOOL, "url": "https://shop.example.com/v2/{{parcel_id}}"}
    assert (await owner.send(here, here, **same, **{"keep-X-Key": "yes"})).status_code == 303
    assert "X-Key" in (await owner.get(here)).text


async def test_a_strangers_file_is_not_even_read(world: World, stranger: Browsing):
    await stranger.get("/login")
    token = make_token(world.settings.secret_keys[0], stranger.http.cookies["parley_visitor"])
    path = "/inbox/4a72d641-2107-4b6f-aa3b-0e8da1c6d6bd/messages"
    file = {"file": ("a.txt", b"words")}
    # The token in the form is right, but nobody parses it.
    assert (
        await stranger.http.post(path, data={"csrf_token": token}, files=file)
    ).status_code == 403


async def test_the_inbox_shows_everything_while_nobody_waits(callers: Callers, owner: Browsing):
    page = (await owner.get("/inbox")).text
    assert 'href="/inbox?view=all" aria-current="page"' in page
    assert str(callers.ids["conversation_id"]) in page


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://localhost:3000/api/files/desk/a.ogg", "/api/files/desk/a.ogg"),
        ("http://localhost:3000/api/files/%2e%2e/sessions", None),
        ("http://localhost:3000/api/files/.%2E/sessions", None),
        ("http://localhost:3000/api/files/../sessions", None),
        ("http://localhost:3000/api/files/a%2f..%2fb", None),
        ("http://localhost:3000/api/sessions", None),
        ("http://[", None),
    ],
)
def test_of_wahas_own_addresses_only_files_are_asked_for(url: str, path: str | None):
    assert _own_path(url) == path
