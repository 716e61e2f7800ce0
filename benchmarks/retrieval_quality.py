"""`parley eval retrieval`: how well a corpus's questions find their documents.

The corpus goes the way of a business's files: uploaded, read, cut, embedded, stored; each question
the way of a customer's: rewritten by the model where its language is not the documents', embedded,
searched. A document counts as found by its best passage.
"""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from app.assistant.knowledge import sources
from app.assistant.knowledge.crawling import Crawler
from app.assistant.knowledge.indexing import Indexer
from app.assistant.knowledge.reading import EXTENSIONS
from app.assistant.knowledge.retrieval import Passage, Retriever
from app.assistant.knowledge.rewriting import Rewriter
from app.cli.errors import CommandError, ExitCode
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.outbound import outbound_session
from app.llm.embeddings import OpenAIEmbedder
from app.llm.openai import OpenAIModel
from benchmarks.businesses import open_businesses
from benchmarks.servers import servers

AT = 5
_PASSAGES = 30
_FILES_AT_ONCE = 6
_WARM_UP = "hello"
_FAILED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the file that answers it; None when none does."""

    text: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a question: the place of its document (0: not found), and how sure it was."""

    question: Question
    place: int
    answerable: float
    took_ms: float
    found: Sequence[str]


def read_questions(path: Path) -> list[Question]:
    """Read lines of ``{"question", "source"}``.

    Raises:
        CommandError: a line is not such an object; the message names it.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            found.append(Question(str(told["question"]), told.get("source") or None))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CommandError(
                ExitCode.USAGE, f'{path}, line {number}: give {{"question": …, "source": …}}'
            ) from None
    if not found:
        raise CommandError(ExitCode.USAGE, f"{path} has no questions")
    return found


def corpus_files(folder: Path) -> dict[str, Path]:
    """Return the readable files below a folder by their path in it."""
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in EXTENSIONS
    }
    if not found:
        raise CommandError(ExitCode.USAGE, f"{folder} has no files that can be read")
    return found


def same_file(source: str, name: str) -> bool:
    """Tell whether a question's source means a file: with or without folders and extension."""
    wanted, path = _plain(source), _plain(name)
    stem = re.sub(r"\.\w{2,8}$", "", path)
    last, last_stem = path.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]
    if wanted in {path, stem}:
        return True
    if "/" in wanted:
        return wanted.endswith(("/" + path, "/" + stem))
    return wanted in {last, last_stem}


def _plain(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./").strip("/").lower()


def evaluate(folder: Path, questions_path: Path) -> dict[str, Any]:
    """Measure on servers of its own; returns the figures and each question's result."""
    questions, files = read_questions(questions_path), corpus_files(folder)
    with servers() as machine:
        machine.start_simulator()
        return asyncio.run(_evaluate(machine.settings, files, questions))


async def _evaluate(
    settings: Settings, files: dict[str, Path], questions: Sequence[Question]
) -> dict[str, Any]:
    (number,) = await open_businesses(settings, 1)
    tenant_id = UUID(number.tenant_id)
    database = Database.from_settings(settings, pool_size=8)
    embedder, model = OpenAIEmbedder(settings), OpenAIModel(settings)
    session = outbound_session(settings, guarded=True)
    try:
        names = await _teach(database, tenant_id, files)
        crawler = Crawler(session, settings.app_url)
        indexer = Indexer(database, embedder, crawler, batch_max=_FILES_AT_ONCE)
        while await indexer.work_batch():
            pass
        unread = await _unread(database, tenant_id)
        asker = _Asker(Retriever(database, embedder), Rewriter(model, settings), tenant_id, names)
        await asker.ask(Question(_WARM_UP, None))
        results = [await asker.ask(question) for question in questions]
    finally:
        await session.close()
        await embedder.close()
        await model.close()
        await database.close()
    return {**figures(results), "files": len(files), "unread": unread, "results": results}


async def _teach(database: Database, tenant_id: UUID, files: dict[str, Path]) -> dict[UUID, str]:
    names: dict[UUID, str] = {}
    for name, path in files.items():
        async with database.tenant(tenant_id) as connection:
            source_id = await sources.add_file(connection, tenant_id, name, path.read_bytes())
        names[source_id] = name
    return names


async def _unread(database: Database, tenant_id: UUID) -> list[str]:
    from sqlalchemy import text

    async with database.tenant(tenant_id) as connection:
        found = await connection.execute(
            text(
                "select title || ': ' || coalesce(failure, state) from knowledge_documents"
                " where tenant_id = :tenant_id and state <> 'ready' order by title"
            ),
            {"tenant_id": tenant_id},
        )
        return list(found.scalars())


class _Asker:
    def __init__(
        self, retriever: Retriever, rewriter: Rewriter, tenant_id: UUID, names: dict[UUID, str]
    ) -> None:
        self._retriever = retriever
        self._rewriter = rewriter
        self._tenant_id = tenant_id
        self._names = names

    async def ask(self, question: Question) -> Result:
        state = await self._retriever.generation(self._tenant_id)
        languages = state.languages if state else []
        queries = (await self._rewriter.rewrite(question.text, languages)).queries
        searched_s = time.perf_counter()
        found = await self._retriever.search(self._tenant_id, queries, limit=_PASSAGES)
        ended_s = time.perf_counter()
        order = list(dict.fromkeys(self._names[passage.source_id] for passage in found))
        source = question.source
        place = next(
            (n for n, name in enumerate(order, start=1) if source and same_file(source, name)), 0
        )
        return Result(question, place, _sureness(found), (ended_s - searched_s) * 1000, order[:AT])


def _sureness(found: Sequence[Passage]) -> float:
    return max((passage.answerable for passage in found[:AT]), default=0.0)


def figures(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of a run; those that need both kinds of questions are null without."""
    asked = [r for r in results if r.question.source]
    places = [r.place for r in asked]
    return {
        "recall_at_5": _share([0 < place <= AT for place in places]),
        "mrr": _mean([1 / place if place else 0.0 for place in places]),
        "auc_answerable": auc(
            [r.answerable for r in asked],
            [r.answerable for r in results if not r.question.source],
        ),
        "p95_ms": _percentile([r.took_ms for r in results], 0.95),
        "questions": len(results),
    }


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Return how often an answerable question scores above another (ties count half)."""
    if not positive or not negative:
        return None
    won = sum((a > b) + 0.5 * (a == b) for a in positive for b in negative)
    return round(won / (len(positive) * len(negative)), 4)


def _share(hits: Sequence[bool]) -> float | None:
    return round(sum(hits) / len(hits), 4) if hits else None


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 2)


def lines(told: dict[str, Any]) -> list[str]:
    """Return the run in words: figures, and the questions whose document was not found."""
    missed = [r for r in told["results"] if r.question.source and not 0 < r.place <= AT]
    names = (("recall@5", "recall_at_5"), ("MRR", "mrr"), ("AUC", "auc_answerable"))
    shown = "  ".join(f"{name} {told[key]}" for name, key in names)
    text = [
        f"{told['files']} files, {told['questions']} questions",
        f"{shown}  p95 {told['p95_ms']} ms",
    ]
    text += [f"not read: {item}" for item in told["unread"][:_FAILED_SHOWN]]
    text += [
        f"missed: {r.question.text!r} wants {r.question.source}, found {', '.join(r.found)}"
        for r in missed
    ]
    return text
