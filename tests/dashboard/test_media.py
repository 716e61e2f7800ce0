"""Customers' files on the pages: for people of the business, in parts, and never run."""

import asyncio
from uuid import UUID

import pytest

from app.core.errors import RefusedError
from app.core.media.opening import open_store
from app.messaging.media import links
from app.messaging.media.limits import BYTES_MAX
from app.messaging.media.uploads import store_upload
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers
from tests.media import samples
from tests.worlds import World

pytestmark = pytest.mark.anyio


async def upload(world: World, tenant_id: UUID, name: str, data: bytes) -> str:
    store = open_store(world.settings)
    media_id = await store_upload(
        world.db, store, tenant_id, name=name, content_type=None, data=data
    )
    return links.signed_url(world.settings.secret_keys, tenant_id, media_id)


@pytest.fixture
async def other_id(world: World, callers: Callers) -> UUID:
    found = await world.one(
        "select m.tenant_id from memberships m join users u on u.id = m.user_id"
        " where u.email = 'other-owner@example.org' and m.tenant_id <> $1",
        callers.victim.tenant_id,
    )
    return UUID(str(found["tenant_id"]))


async def test_a_recording_is_played_in_parts(
    world: World, owner: Browsing, stranger: Browsing, callers: Callers
) -> None:
    data = samples.wav("x")
    path = await upload(world, callers.victim.tenant_id, "note.wav", data)
    whole = await owner.get(path)
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["content-disposition"].startswith('inline; filename="note.wav"')
    assert whole.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = await owner.get(path, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(data)}"
    assert (await owner.get(path, Range=f"bytes={len(data)}-")).status_code == 416
    assert (await stranger.get(path)).status_code == 303


async def test_what_is_not_shown_is_a_download(
    world: World, owner: Browsing, callers: Callers
) -> None:
    path = await upload(
        world, callers.victim.tenant_id, "größe <1>.html", b"<html><script>alert(1)</script>"
    )
    answer = await owner.get(path)
    assert answer.headers["content-type"] == "application/octet-stream"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="gr__e _1_.html"')
    assert disposition.endswith("filename*=UTF-8''gr%C3%B6%C3%9Fe%20_1_.html")


async def test_links_are_for_one_business_and_a_while(
    world: World, owner: Browsing, callers: Callers, other_id: UUID
) -> None:
    tenant_id = callers.victim.tenant_id
    own = await upload(world, tenant_id, "a.png", samples.png())
    foreign = await upload(world, other_id, "a.png", samples.png())
    media_id = UUID(own.split("/")[2].split(".")[1])
    stolen = links.signed_url(world.settings.secret_keys, tenant_id, UUID(int=media_id.int ^ 1))
    changed = own[:-1] + ("0" if own[-1] != "0" else "1")
    answers = await asyncio.gather(*(owner.get(p) for p in (foreign, stolen, changed)))
    assert {a.status_code for a in answers} == {404}
    await world.run("delete from message_media where id = $1", media_id)
    assert (await owner.get(own)).status_code == 404


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "This file is empty"),
        (samples.PROGRAM, "This kind of file cannot be sent"),
        (samples.png() + bytes(BYTES_MAX["image"]), "too large: at most 10 MB"),
        (samples.ogg() + bytes(BYTES_MAX["audio"]), "too large: at most 25 MB"),
        (samples.mp4() + bytes(BYTES_MAX["video"]), "too large: at most 16 MB"),
        (samples.PDF + bytes(BYTES_MAX["document"]), "too large: at most 20 MB"),
    ],
    ids=["empty", "program", "picture", "recording", "video", "file"],
)
async def test_an_upload_is_refused_with_its_reason(
    world: World, callers: Callers, data: bytes, told: str
) -> None:
    with pytest.raises(RefusedError, match=told):
        await upload(world, callers.victim.tenant_id, "a", data)
