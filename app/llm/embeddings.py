"""Embeddings over the OpenAI API, through the ``openai`` SDK.

One instance an event loop. Retries are the caller's: the SDK's own are off.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from app.core.config import Settings
from app.core.errors import ProviderError

INPUTS_MAX = 64
"""Texts of one call; the API takes 2 048 of them, and 300 000 tokens in all."""
TIMEOUT_S = 30.0
_CHARS_MAX = 24_000
"""Of one text; the models read 8 192 tokens."""
_DEFINITE = {400, 401, 403, 404, 422}

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
        self._client: Any = None

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
        if self._client is not None:
            await self._client.close()

    async def _call(self, texts: list[str], timeout_s: float, model: str) -> list[Vector]:
        import openai

        try:
            async with asyncio.timeout(timeout_s):
                # Without an encoding the SDK asks for base64 and unpacks it: a quarter of the size.
                answer = await self._connect().embeddings.create(model=model, input=texts)
        except openai.APIStatusError as error:
            status = error.status_code
            raise ProviderError(
                "llm",
                f"embeddings answered {status}",
                status_code=status,
                retryable=status not in _DEFINITE,
            ) from None
        except (TimeoutError, openai.APITimeoutError):
            raise ProviderError("llm", f"no embeddings within {timeout_s:g} s") from None
        except (openai.OpenAIError, ValueError) as error:
            raise ProviderError("llm", f"no embeddings ({type(error).__name__})") from None
        vectors = [list(item.embedding) for item in sorted(answer.data, key=lambda d: d.index)]
        if len(vectors) != len(texts) or len({len(v) for v in vectors}) != 1:
            raise ProviderError("llm", "the embeddings do not fit the texts")
        return vectors

    def _connect(self) -> Any:
        if self._client is None:
            import openai

            self._client = openai.AsyncOpenAI(
                api_key=self._settings.openai_api_key or "missing",
                base_url=self._settings.openai_base_url,
                max_retries=0,
                timeout=TIMEOUT_S + 5,
                http_client=openai.DefaultAioHttpClient(),
            )
        return self._client
