"""Files between the simulated WAHA, the simulated model and the product's own clients."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from app.assistant.media import FileReader
from app.channels.port import Attachment, ChannelAccess
from app.channels.waha.client import WahaClient
from app.channels.waha.files import WahaFiles
from app.core.config import Settings
from app.core.errors import ProviderError
from app.core.outbound import OutboundRefused, outbound_session
from app.llm.media import OpenAIMedia
from tests.media import samples
from tests.simulator.conftest import Receiver, Sim

pytestmark = pytest.mark.anyio
PHONE = "12025550160"
MIB = 1 << 20


@pytest.fixture
async def waha(sim: Sim) -> AsyncIterator[tuple[WahaFiles, WahaClient, ChannelAccess]]:
    settings = Settings(environment="test")
    trusted = outbound_session(settings, guarded=False)
    guarded = outbound_session(settings, guarded=True)
    client = WahaClient(trusted=trusted, guarded=guarded, send_timeout_s=10)
    access = ChannelAccess(
        channel_id=uuid4(),
        api_url=sim.url,
        api_key="key",
        session="shop",
        guarded=False,
        engine="NOWEB",
        engine_version="2026.7.1",
    )
    yield WahaFiles(client.calls, trusted=trusted, guarded=guarded), client, access
    await trusted.close()
    await guarded.close()


def send(sim: Sim, kind: str, mimetype: str, data: bytes, **more: Any) -> str:
    media = {"kind": kind, "mimetype": mimetype, "data_base64": base64.b64encode(data).decode()}
    told = sim.post(f"/_sim/customers/{PHONE}/messages", {"media": {**media, **more}})
    return str(told["full_id"])


def told(sim: Sim, full_id: str, **query: Any) -> Any:
    path = f"/api/shop/chats/{PHONE}@c.us/messages/{full_id}"
    return sim.get(path, **query)["media"]


async def test_a_file_comes_from_the_channels_own_address(
    sim: Sim, waha: tuple[WahaFiles, WahaClient, ChannelAccess]
) -> None:
    files, _, access = waha
    sim.session()
    url = told(sim, send(sim, "image", "image/png", samples.png()))["url"]
    # WAHA names its own idea of its address: only the path is taken.
    inner = "http://localhost:3000/" + url.split("/", 3)[3]
    assert await files.fetch_media(access, inner, bytes_max=MIB) == samples.png()
    with pytest.raises(OutboundRefused, match="too_large"):
        await files.fetch_media(access, inner, bytes_max=10)
    with pytest.raises(ProviderError) as missing:
        await files.fetch_media(access, inner.replace("_", "_0"), bytes_max=MIB)
    assert (missing.value.status_code, missing.value.retryable) == (404, False)
    for elsewhere in ("http://127.0.0.1:1/secret", f"{sim.url}/api/sessions", "file:///etc/passwd"):
        with pytest.raises(OutboundRefused):
            await files.fetch_media(access, elsewhere, bytes_max=MIB)


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS", "WEBJS"])
async def test_files_that_waha_did_not_get(
    sim: Sim,
    receiver: Receiver,
    waha: tuple[WahaFiles, WahaClient, ChannelAccess],
    engine: str,
) -> None:
    files, _, access = waha
    sim.post("/_sim/engine", {"engine": engine})
    sim.session(webhooks=[sim.webhook(receiver)])
    chat = f"{PHONE}@c.us"
    later = send(sim, "voice", "audio/ogg", samples.ogg("x"), download="off")
    assert told(sim, later, downloadMedia="false") is None
    url = await files.media_url(access, later, chat)
    assert url is not None
    assert await files.fetch_media(access, url, bytes_max=MIB) == samples.ogg("x")
    never = send(sim, "voice", "audio/ogg", samples.ogg("x"), download="failed")
    media = told(sim, never)
    assert (media["url"], bool(media["error"])) == (None, True)
    assert await files.media_url(access, never, chat) is None
    assert await files.media_url(access, "false_x@c.us_ABC", chat) is None


async def test_files_go_out_as_what_they_are(
    sim: Sim, waha: tuple[WahaFiles, WahaClient, ChannelAccess]
) -> None:
    _, client, access = waha
    sim.session()
    chat = f"{PHONE}@c.us"
    sent = (
        ("image", "image/png", "menu.png", samples.png(), "Our menu", "/api/sendImage"),
        ("audio", "audio/ogg", "note.ogg", samples.ogg(), None, "/api/sendVoice"),
        ("document", "application/pdf", "menu.pdf", samples.PDF, None, "/api/sendFile"),
    )
    for kind, content_type, name, data, caption, _ in sent:
        found = await client.send_media(
            access, chat, Attachment(kind, content_type, name, data), caption
        )
        assert found
    calls = [c for c in sim.get("/_sim/calls", service="waha")["calls"] if "/send" in c["path"]]
    assert [c["path"] for c in calls] == [path for *_, path in sent]
    assert [c["body"].get("caption") for c in calls] == ["Our menu", None, None]
    assert calls[1]["body"]["convert"] is True
    shown = sim.phone(PHONE)
    assert [m["media"]["filename"] for m in shown] == [name for _, _, name, *_ in sent]


async def test_the_reader_hears_sees_and_reads(sim: Sim) -> None:
    model = OpenAIMedia(Settings(openai_api_key="k", openai_base_url=f"{sim.url}/v1"))
    reader = FileReader(model)
    heard, silent, seen, page, archive = await asyncio.gather(
        reader.read("audio", "audio/ogg", "a.ogg", samples.ogg("¿Abren hoy?"), duration_ms=2000),
        reader.read("audio", "audio/wav", "a.wav", samples.wav(), duration_ms=500),
        reader.read("image", "image/png", "a.png", samples.png("Sale 5"), duration_ms=None),
        reader.read("document", "text/plain", "a.txt", b"Rye\n\nEvery day", duration_ms=None),
        reader.read("document", "application/zip", "a.zip", b"PK\x03\x04", duration_ms=None),
    )
    await model.close()
    assert heard is not None
    assert (heard.text, heard.audio_ms, heard.model) == (
        "¿Abren hoy?",
        2000,
        "gpt-4o-mini-transcribe",
    )
    assert heard.input_tokens > 0
    assert silent is None
    assert archive is None
    assert seen is not None
    assert seen.text == "A PNG picture of 12 × 8 pixels, mostly blue. Sale 5"
    assert seen.input_tokens > 700
    assert page is not None
    assert (page.text.splitlines()[0], page.pages) == ("Rye", 1)


async def test_a_reader_that_fails_says_nothing_of_the_file(sim: Sim) -> None:
    settings = Settings(openai_api_key="k", openai_base_url=f"{sim.url}/v1")
    model = OpenAIMedia(settings)
    sim.post("/_sim/faults", {"service": "openai", "status": 503, "body": {"secret words": 1}})
    with pytest.raises(ProviderError, match="answered 503") as failed:
        await model.transcribe("a.ogg", "audio/ogg", samples.ogg("secret words"))
    assert failed.value.retryable
    assert "secret" not in str(failed.value)
    await model.close()
