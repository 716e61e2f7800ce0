"""The knowledge as answering needs it: passages in the prompt's form, curated answers."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.curated import Curated
from app.assistant.knowledge.retrieval import Passage, Retriever
from app.assistant.prompt import Known

PASSAGES_MAX = 5
_SCORE_MIN = 0.05


class FoundKnowledge:
    """Searches with a ``Retriever``."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    async def search(self, tenant_id: UUID, queries: Sequence[str]) -> list[Known]:
        """Return the best passages for some wordings of a question, the best first."""
        found = await self._retriever.search(tenant_id, queries, limit=PASSAGES_MAX)
        return [_known(passage) for passage in found if passage.score >= _SCORE_MIN]

    async def curated(
        self, connection: AsyncConnection, tenant_id: UUID, message: str
    ) -> Curated | None:
        """Return the approved answer to a whole message, without network."""
        return await self._retriever.curated(connection, tenant_id, message)


def _known(passage: Passage) -> Known:
    is_pair = passage.kind == "qa"
    return Known(
        id=str(passage.document_id if is_pair else passage.chunk_id),
        kind=passage.kind,
        title=passage.title,
        text=passage.text,
        question=passage.title if is_pair else "",
        url=passage.url or "",
        score=passage.score,
    )
