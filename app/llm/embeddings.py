"""Embeddings over the OpenAI API, through the ``openai`` SDK.

One instance an event loop. Retries are the caller's.
"""

from collections.abc import Sequence
from typing import Protocol

from app.core.config import Settings
from app.core.errors import ProviderError
from app.llm.client import OpenAIClient, asked, reading

INPUTS_MAX = 64
"""Texts of one call; the API takes 2 048 of them, and 300 000 tokens in all."""
TIMEOUT_S = 30.0
_CHARS_MAX = 24_000
"""Of one text; the models read 8 192 tokens."""

Vector = list[float]


class Embedder(Protocol):
    """Turns texts into vectors. Failures are ProviderError("llm", …)."""

    @property
    def model(self) -> str:
        """The model's name; vectors of different models cannot be compared."""
        ...

    async def embed(
        self, texts: Sequence[str], *, timeout_s: float = TIMEOUT_S, model: str = ""
    ) -> list[Vector]:
        """Return one vector of length 1 for each text (of another model when it is named)."""
        ...


class OpenAIEmbedder:
    """Embeds through ``OPENAI_BASE_URL``. Close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = OpenAIClient(settings, timeout_s=TIMEOUT_S)

    @property
    def model(self) -> str:
        """``OPENAI_EMBEDDING_MODEL``."""
        return self._settings.openai_embedding_model

    async def embed(
        self, texts: Sequence[str], *, timeout_s: float = TIMEOUT_S, model: str = ""
    ) -> list[Vector]:
        """Return one vector for each text, in their order, in calls of at most 64.

        Raises:
            ProviderError: no answer, a failure status, or an answer that does not fit.
        """
        found: list[Vector] = []
        for start in range(0, len(texts), INPUTS_MAX):
            part = [text[:_CHARS_MAX] or " " for text in texts[start : start + INPUTS_MAX]]
            found += await self._call(part, timeout_s, model or self.model)
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, texts: list[str], timeout_s: float, model: str) -> list[Vector]:
        client = await self._client.connect()
        # Without an encoding the SDK asks for base64 and unpacks it: a quarter of the size.
        answer = await asked(client.embeddings.create(model=model, input=texts), timeout_s)
        with reading():
            vectors = [list(item.embedding) for item in sorted(answer.data, key=lambda d: d.index)]
        if len(vectors) != len(texts) or len({len(v) for v in vectors}) != 1:
            raise ProviderError("llm", "the embeddings do not fit the texts")
        return vectors
