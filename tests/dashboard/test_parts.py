"""Small parts: languages, ways on, refused fields, htmx's headers, live streams."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.core import locales
from app.core.errors import ConflictError, NotSignedInError, RefusedError
from app.dashboard import live
from app.dashboard.desk import own_path
from app.dashboard.inbox_words import linked
from app.dashboard.live import LiveEvent, last_event_id, stream_events
from app.dashboard.refusals import field_at_fault
from app.dashboard.visit import is_partial


@pytest.mark.parametrize(
    ("person", "cookie", "header", "chosen"),
    [
        (None, None, "", "en"),
        (None, None, "de-DE, pt-PT;q=0.8, es;q=0.9", "es"),
        (None, None, "es;q=0, pt", "pt"),
        (None, None, "es;q=many, pt;q=0.1", "pt"),
        (None, "pt", "es", "pt"),
        ("es-MX", "pt", "en", "es"),
        ("de", "pt_BR", "es", "pt"),
    ],
)
def test_language(person: str | None, cookie: str | None, header: str, chosen: str):
    assert locales.choose(person=person, cookie=cookie, accept_language=header) == chosen


def test_addresses_in_messages_are_links_and_nothing_else_is():
    shown = linked(
        'See (https://a.example/x?y=1&z=2). <b>"javascript:alert(1)"</b> http://b.example'
    )
    assert 'href="https://a.example/x?y=1&amp;z=2"' in shown
    assert ">https://a.example/x?y=1&amp;z=2</a>). &lt;b&gt;" in shown
    assert shown.endswith(">http://b.example</a>")
    assert shown.count("<a ") == 2
    assert "<b>" not in shown


@pytest.mark.parametrize(
    "raw", ["//evil.example", "/\\evil", "https://evil.example", "", None, "x", "/a\r\nb", "/\\/x"]
)
def test_ways_on_stay_here(raw: str | None):
    assert own_path(raw, "/home") == "/home"
    assert own_path("/settings/audit?since=2026-11-23", "/home").startswith("/settings/audit")


def test_errors_find_their_field():
    fields = ("email", "password", "slug", "name")
    assert field_at_fault(RefusedError("The password is short."), fields) == "password"
    assert field_at_fault(ConflictError("This short name is taken."), fields) == "slug"
    assert field_at_fault(NotSignedInError("The password is wrong."), fields) == "form"
    assert field_at_fault(RefusedError("The password is short."), ("email",)) == "form"


def test_partial_answers_are_for_htmx_alone():
    asks = {"hx-request": "true", "hx-request-type": "partial"}
    assert is_partial(asks)
    assert not is_partial({})
    assert not is_partial({**asks, "hx-request-type": "full"})
    assert not is_partial({**asks, "hx-history-restore-request": "true"})


def test_event_ids():
    assert last_event_id("17-3") == "17-3"
    assert last_event_id(None) is last_event_id("x" * 200) is last_event_id("a\nb") is None


async def collect(source: live.Source, after: str | None = None, **times: float) -> list[bytes]:
    times = {"heartbeat_s": 5, "session_s": 5, **times}
    return [chunk async for chunk in stream_events(source, after=after, **times)]


@pytest.mark.anyio
async def test_a_stream_goes_on_after_the_last_event():
    async def source(after: str | None) -> AsyncGenerator[LiveEvent, None]:
        for n in range(int(after or 0) + 1, 4):
            yield LiveEvent(str(n), f"<p>{n}\n</p>", "message")

    first, second, third = await collect(source, after="1")
    assert first.startswith(b"retry:")
    assert second == b"id: 2\nevent: message\ndata: <p>2\ndata: </p>\n\n"
    assert third.startswith(b"id: 3\n")


@pytest.mark.anyio
async def test_a_silent_stream_beats_and_ends():
    let_go = asyncio.Event()

    async def source(_: str | None) -> AsyncGenerator[LiveEvent, None]:
        try:
            await asyncio.Event().wait()
            yield LiveEvent("never", "")
        finally:
            let_go.set()

    chunks = await collect(source, heartbeat_s=0.02, session_s=0.1)
    assert b": still here\n\n" in chunks
    assert let_go.is_set(), "the source keeps nothing open"
