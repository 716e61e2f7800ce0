"""The knowledge as the pages use it: who may do what, the change, its audit entry, the bell."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge import overview, pairs, sources, unanswered
from app.assistant.knowledge.documents import UnreadableError
from app.assistant.knowledge.frontier import page_url
from app.assistant.knowledge.overview import Figures, Item, Source
from app.assistant.knowledge.pairs import Draft, Pair
from app.assistant.knowledge.reading import BYTES_MAX, kind_of
from app.assistant.knowledge.retrieval import Passage, Retriever
from app.assistant.knowledge.rewriting import Rewriter
from app.assistant.knowledge.unanswered import Unanswered
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.outbound import OutboundRefused, outbound_guard
from app.core.ports import Doorbell
from app.core.text import storable
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn

QUEUE = "housekeeping"
FILES_MAX = 20
SOURCES_MAX = 500
PAGES_MAX = 500
DEPTH_MAX = 4
PAGE_ROWS = 25
SYNC_HOURS = (0, 24, 168, 720)
"""Never, every day, every week, every month."""
_FILENAME_CHARS_MAX = 160
_TRIED_MAX = 8


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sent."""

    filename: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Tried:
    """What a search found: the wordings that were searched for, and the passages."""

    queries: Sequence[str]
    passages: Sequence[Passage]


class Library:
    """Shows and changes what a business taught. Everybody reads, managers and owners change."""

    def __init__(
        self,
        database: Database,
        retriever: Retriever,
        rewriter: Rewriter,
        settings: Settings,
        doorbell: Doorbell,
    ) -> None:
        self._database = database
        self._retriever = retriever
        self._rewriter = rewriter
        self._settings = settings
        self._doorbell = doorbell

    async def figures(self, person: SignedIn) -> Figures:
        """Return how much there is of everything."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            return await overview.figures(connection, tenant_id)

    async def sources(
        self, person: SignedIn, after_id: UUID | None = None
    ) -> tuple[Figures, list[Source]]:
        """Return the figures and a page of sources, the newest first."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            found = await overview.list_sources(
                connection, tenant_id, after_id=after_id, rows_max=PAGE_ROWS + 1
            )
            return await overview.figures(connection, tenant_id), found

    async def source(
        self, person: SignedIn, source_id: UUID, after_id: UUID | None = None
    ) -> tuple[Source, list[Item]]:
        """Return a source and a page of its documents."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            found = await overview.get_source(connection, tenant_id, source_id)
            items = await overview.list_documents(
                connection, tenant_id, source_id, after_id=after_id, rows_max=PAGE_ROWS + 1
            )
            return found, items

    async def upload(self, person: SignedIn, files: Sequence[Upload], device: Device) -> int:
        """Take files to be read; all of them or none.

        Raises:
            RefusedError: none, too many, too large, empty, or of a kind that cannot be read.
        """
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        if not files:
            raise RefusedError("Choose at least one file.")
        if len(files) > FILES_MAX:
            raise RefusedError("Send at most 20 files at once.")
        for file in files:
            _check_file(file)
        async with self._database.tenant(tenant_id) as connection:
            await _require_room(connection, tenant_id, len(files))
            for file in files:
                name = storable(file.filename, chars_max=_FILENAME_CHARS_MAX)
                source_id = await sources.add_file(
                    connection, tenant_id, name, file.body, created_by=person.user_id
                )
                after = {"title": name, "kind": "file"}
                await self._record(
                    connection, person, device, "knowledge.add", source_id, after=after
                )
        await self._doorbell.ring(QUEUE)
        return len(files)

    async def add_web(
        self,
        person: SignedIn,
        url: str,
        *,
        whole_site: bool,
        pages_max: int,
        sync_every_h: int,
        device: Device,
    ) -> UUID:
        """Take a page or a site to be read.

        Raises:
            RefusedError: the address cannot be used, or an option is none of those offered.
        """
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        address = self._checked_url(url)
        if sync_every_h not in SYNC_HOURS:
            raise RefusedError("Choose how often the pages are read again.")
        if whole_site and not 2 <= pages_max <= PAGES_MAX:  # noqa: PLR2004
            raise RefusedError("A site has between 2 and 500 pages.")
        async with self._database.tenant(tenant_id) as connection:
            await _require_room(connection, tenant_id, 1)
            source_id = await sources.add_web(
                connection,
                tenant_id,
                address,
                title=address.partition("://")[2].rstrip("/")[:_FILENAME_CHARS_MAX],
                depth_max=DEPTH_MAX if whole_site else 0,
                pages_max=pages_max if whole_site else 1,
                sync_every_h=sync_every_h or None,
                created_by=person.user_id,
            )
            kind = "site" if whole_site else "page"
            after = {"title": address, "kind": kind}
            await self._record(connection, person, device, "knowledge.add", source_id, after=after)
        await self._doorbell.ring(QUEUE)
        return source_id

    async def read_again(self, person: SignedIn, source_id: UUID) -> None:
        """Let a page or site be read again now."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            await sources.read_again(connection, tenant_id, source_id)
        await self._doorbell.ring(QUEUE)

    async def remove_source(self, person: SignedIn, source_id: UUID, device: Device) -> None:
        """Delete a source and all that was read from it."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            title = await sources.remove(connection, tenant_id, source_id)
            before = {"title": title}
            await self._record(
                connection, person, device, "knowledge.remove", source_id, before=before
            )

    async def pairs(
        self,
        person: SignedIn,
        *,
        status: str | None = None,
        word: str | None = None,
        after_id: UUID | None = None,
    ) -> tuple[Figures, list[Pair]]:
        """Return the figures and a page of questions and answers."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            found = await pairs.page(
                connection,
                tenant_id,
                status=status,
                word=word,
                after_id=after_id,
                rows_max=PAGE_ROWS + 1,
            )
            return await overview.figures(connection, tenant_id), found

    async def pair(self, person: SignedIn, pair_id: UUID) -> Pair:
        """Return a question with its answer."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            return await pairs.get(connection, tenant_id, pair_id)

    async def add_pair(
        self, person: SignedIn, draft: Draft, device: Device, *, asked_id: UUID | None = None
    ) -> UUID:
        """Store a question with its answer; ``asked_id`` is the open question that it answers."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            origin = "unanswered" if asked_id else "owner"
            pair_id = await pairs.add(connection, tenant_id, draft, origin=origin)
            if asked_id:
                await unanswered.end(connection, tenant_id, asked_id, answer_id=pair_id)
            after = {"question": draft.question}
            await self._record(connection, person, device, "answer.add", pair_id, after=after)
        await self._doorbell.ring(QUEUE)
        return pair_id

    async def change_pair(
        self, person: SignedIn, pair_id: UUID, draft: Draft, device: Device
    ) -> None:
        """Store new words of a question or its answer."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            was = await pairs.change(connection, tenant_id, pair_id, draft)
            before = {"question": was.question, "answer": was.answer}
            after = {"question": draft.question, "answer": draft.answer}
            await self._record(
                connection, person, device, "answer.change", pair_id, before=before, after=after
            )
        await self._doorbell.ring(QUEUE)

    async def approve_pair(self, person: SignedIn, pair_id: UUID, device: Device) -> None:
        """Let a pair answer customers."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            await pairs.approve(connection, tenant_id, pair_id)
            await self._record(connection, person, device, "answer.approve", pair_id)
        await self._doorbell.ring(QUEUE)

    async def remove_pair(self, person: SignedIn, pair_id: UUID, device: Device) -> None:
        """Delete a question with its answer."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            question = await pairs.remove(connection, tenant_id, pair_id)
            before = {"question": question}
            await self._record(connection, person, device, "answer.remove", pair_id, before=before)

    async def unanswered(
        self, person: SignedIn, after_id: UUID | None = None
    ) -> tuple[Figures, list[Unanswered]]:
        """Return the figures and a page of open questions."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            found = await unanswered.list_open(
                connection, tenant_id, after_id=after_id, rows_max=PAGE_ROWS + 1
            )
            return await overview.figures(connection, tenant_id), found

    async def asked(self, person: SignedIn, question_id: UUID) -> Unanswered:
        """Return an open question."""
        tenant_id = person.business(Permission.READ_INBOX)
        async with self._database.tenant(tenant_id) as connection:
            return await unanswered.get(connection, tenant_id, question_id)

    async def dismiss(self, person: SignedIn, question_id: UUID) -> None:
        """Take an open question off the list; asked again, it stays off."""
        tenant_id = person.business(Permission.EDIT_KNOWLEDGE)
        async with self._database.tenant(tenant_id) as connection:
            await unanswered.end(connection, tenant_id, question_id, answer_id=None)

    async def try_question(self, person: SignedIn, question: str) -> Tried:
        """Search as for a customer; nothing is answered, noted or charged."""
        tenant_id = person.business(Permission.READ_INBOX)
        state = await self._retriever.generation(tenant_id)
        rewritten = await self._rewriter.rewrite(question, state.languages if state else [])
        found = await self._retriever.search(tenant_id, rewritten.queries, limit=_TRIED_MAX)
        return Tried(rewritten.queries, found)

    def _checked_url(self, url: str) -> str:
        typed = url.strip()
        if typed and "://" not in typed:
            typed = f"https://{typed}"
        address = page_url(typed, "") if typed else None
        if address is None:
            raise RefusedError("Give the address of a page, such as https://example.com/help.")
        try:
            outbound_guard(self._settings).verify_url(address)
        except OutboundRefused:
            raise RefusedError("This address is not on the public internet.") from None
        return address

    async def _record(
        self,
        connection: AsyncConnection,
        person: SignedIn,
        device: Device,
        action: str,
        subject: UUID,
        *,
        before: dict[str, str] | None = None,
        after: dict[str, str] | None = None,
    ) -> None:
        await service.record(
            connection,
            person.business(Permission.EDIT_KNOWLEDGE),
            actor_of(person, device),
            action=action,
            subject=str(subject),
            before=before,
            after=after,
        )


def _check_file(file: Upload) -> None:
    if not file.body:
        raise RefusedError("One of the files is empty.")
    if len(file.body) > BYTES_MAX:
        raise RefusedError("A file may have at most 20 MB.")
    try:
        kind_of(file.filename, file.body)
    except UnreadableError:
        raise RefusedError(
            "One of the files cannot be read. Send PDF, Word (DOCX), HTML, text, Markdown or CSV."
        ) from None


async def _require_room(connection: AsyncConnection, tenant_id: UUID, more: int) -> None:
    found = await overview.figures(connection, tenant_id)
    if found.sources + more > SOURCES_MAX:
        raise RefusedError("There are 500 sources already. Remove some first.")
