"""Reading what customers send: voice notes are heard, pictures seen, documents' first pages read.

A reading is text, made once, when the file arrives: it stands in the history of every later
prompt, where a picture itself would be paid for again with each reply, and it is fenced there
like any other words of a customer.
"""

from app.assistant.knowledge import reading as documents
from app.assistant.knowledge.documents import UnreadableError
from app.core.ports import Reading
from app.core.text import storable
from app.llm.media import OpenAIMedia

_READING_CHARS_MAX = 8_000
_PAGE_CHARS = 3_000
"""About what a printed page holds: documents tell no page breaks."""
# What models that see take; others are kept for people.
_SEEN_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_MS_PER_S = 1000


class FileReader:
    """Reads a file by its kind; what it says is cut to what a prompt has room for."""

    def __init__(self, model: OpenAIMedia) -> None:
        self._model = model

    async def read(
        self, kind: str, content_type: str, name: str, data: bytes, *, duration_ms: int | None
    ) -> Reading | None:
        """Return what a file says; None when it says nothing."""
        if content_type.startswith("audio/"):
            return await self._hear(content_type, name, data, duration_ms or 0)
        if content_type in _SEEN_TYPES:
            return await self._see(content_type, data)
        return await _document(content_type, name, data) if kind == "document" else None

    async def _hear(
        self, content_type: str, name: str, data: bytes, duration_ms: int
    ) -> Reading | None:
        heard = await self._model.transcribe(name, content_type, data)
        if not heard.text.strip(" .…"):
            return None
        counted_ms = round(heard.seconds * _MS_PER_S) if heard.seconds else duration_ms
        return Reading(
            text=storable(heard.text, chars_max=_READING_CHARS_MAX),
            model=heard.model,
            audio_ms=counted_ms,
            input_tokens=heard.usage.input_tokens,
            output_tokens=heard.usage.output_tokens,
        )

    async def _see(self, content_type: str, data: bytes) -> Reading | None:
        seen = await self._model.describe(content_type, data)
        if not seen.text:
            return None
        return Reading(
            text=storable(seen.text, chars_max=_READING_CHARS_MAX),
            model=seen.model,
            input_tokens=seen.usage.input_tokens,
            output_tokens=seen.usage.output_tokens,
        )


async def _document(content_type: str, name: str, data: bytes) -> Reading | None:
    try:
        kind = documents.kind_of(name, data, content_type)
        document = await documents.read(kind, data)
    except UnreadableError:
        return None
    whole = storable(document.text.strip(), chars_max=_READING_CHARS_MAX)
    if not whole:
        return None
    title = document.title.strip() or name
    text = whole if whole.startswith(title) else f"{title}\n{whole}"
    pages = -(-len(text) // _PAGE_CHARS)
    return Reading(text=text[:_READING_CHARS_MAX], pages=pages)
