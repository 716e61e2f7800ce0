"""The inbox: what people of a business see of its conversations, and what they do in them.

Each method asks the person for the permission, opens one transaction, and answers a conversation
that is foreign, missing or out of sight with the same NotFoundError.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.errors import ConflictError
from app.core.live import ChangeFeed, Reader
from app.core.ports import Doorbell
from app.messaging import ownership
from app.messaging.address_book import card
from app.messaging.contact_facts import ContactFact, facts_of
from app.messaging.desk import figures, listing, searching, thread, writing
from app.messaging.desk.listing import Page, Row, Summary, View
from app.messaging.desk.thread import Head, Thread
from app.messaging.desk.viewers import Viewer, viewer
from app.messaging.desk.writing import Draft
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn

TAKEOVER_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class ListView:
    """The left pane. ``view`` is what it shows, also where the request left the choice to it."""

    view: View
    page: Page
    summary: Summary


@dataclass(frozen=True, slots=True)
class ConversationView:
    """The middle and the right pane."""

    head: Head
    thread: Thread
    facts: Sequence[ContactFact]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the left pane is to show: a search, or a view, from a cursor on.

    Without a view it is who waits for people, or everything while nobody does.
    """

    view: View | None = None
    label_id: UUID | None = None
    before: tuple[datetime, UUID] | None = None
    query: str = ""


class Inbox:
    """Reads and acts for people. ``feed`` tells open pages what changed."""

    def __init__(self, database: Database, doorbell: Doorbell, feed: ChangeFeed) -> None:
        self._database = database
        self._doorbell = doorbell
        self.feed = feed

    async def look(
        self, person: SignedIn, wanted: Wanted, conversation_id: UUID | None = None
    ) -> tuple[ListView, ConversationView | None]:
        """Return the list, and the conversation that is open beside it."""
        looker = viewer(person)
        ids = await searching.search(self._database, looker, wanted.query) if wanted.query else []
        async with self._database.tenant(looker.tenant_id) as connection:
            summary = await listing.summary(connection, looker)
            view = wanted.view or (View.PEOPLE if summary.counts[View.PEOPLE] else View.ALL)
            opened = None
            if conversation_id is not None:
                opened = await self._open(connection, looker, conversation_id)
                await self._mark_seen(connection, person, looker, conversation_id)
            if wanted.query:
                page = Page(await listing.of_ids(connection, looker, ids), None)
            else:
                page = await listing.page(
                    connection,
                    looker,
                    view,
                    label_id=wanted.label_id,
                    before=wanted.before,
                )
        return ListView(view, page, summary), opened

    async def open(
        self, person: SignedIn, conversation_id: UUID, *, seen: bool
    ) -> tuple[Summary, ConversationView]:
        """Return a conversation alone; ``seen`` notes that the person read it."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            summary = await listing.summary(connection, looker)
            opened = await self._open(connection, looker, conversation_id)
            if seen:
                await self._mark_seen(connection, person, looker, conversation_id)
            return summary, opened

    async def _open(
        self, connection: AsyncConnection, looker: Viewer, conversation_id: UUID
    ) -> ConversationView:
        head = await thread.head(connection, looker, conversation_id)
        return ConversationView(
            head=head,
            thread=await thread.lines(connection, looker, conversation_id),
            facts=await facts_of(connection, looker.tenant_id, head.contact_id),
        )

    async def _mark_seen(
        self, connection: AsyncConnection, person: SignedIn, looker: Viewer, conversation_id: UUID
    ) -> None:
        # An admin who looks on reads nothing for the business.
        if not person.impersonating:
            await thread.mark_seen(connection, looker, conversation_id)

    async def reader(self, person: SignedIn, opened: UUID | None) -> Reader:
        """Return whose changes to tell a person; ``opened`` is what they look at, if they see it.

        Agents are told of their conversations and nobody's, like everywhere.
        """
        looker = viewer(person)
        if looker.sees_all:
            return Reader(looker.tenant_id)
        known = [opened] if opened else []
        async with self._database.tenant(looker.tenant_id) as connection:
            rows = await listing.of_ids(connection, looker, known) if known else []
        return Reader(looker.tenant_id, looker.user_id, {row.id for row in rows})

    async def unread(self, person: SignedIn) -> int:
        """Return how many conversations ask for this person's attention."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            return await listing.unread(connection, looker)

    async def waiting(self, person: SignedIn, ids: Sequence[UUID]) -> Sequence[Row]:
        """Return those of some conversations that people own and this person has not read."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            rows = await listing.of_ids(connection, looker, ids)
        return [row for row in rows if row.people_own and row.unread]

    async def earlier_lines(
        self, person: SignedIn, conversation_id: UUID, before: UUID
    ) -> tuple[Head, Thread]:
        """Return what was said before a message."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            head = await thread.head(connection, looker, conversation_id)
            return head, await thread.lines(connection, looker, conversation_id, before=before)

    async def own_figures(self, person: SignedIn) -> figures.OwnFigures:
        """Return what this person answered, and how quickly."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            return await figures.own(connection, looker)

    async def send(self, person: SignedIn, conversation_id: UUID, draft: Draft) -> UUID:
        """Send a person's message, which takes the conversation over; return where it went.

        A resolved conversation is opened again, or the one that has been opened since is used.

        Raises:
            ConflictError: the contact is blocked, or the number is switched off.
            RefusedError: there is nothing to send, or too much.
        """
        looker = viewer(person, Permission.ANSWER)
        writing.checked(draft)
        async with self._database.tenant(looker.tenant_id) as connection:
            conversation_id = await self._prepare(connection, looker, conversation_id)
            sent_to = await writing.already_sent(connection, looker, draft.form_key)
            if sent_to is not None:
                return sent_to
            await writing.queue(connection, looker, conversation_id, draft)
            await thread.mark_seen(connection, looker, conversation_id)
        await self._doorbell.ring("reply")
        return conversation_id

    async def _prepare(
        self, connection: AsyncConnection, looker: Viewer, conversation_id: UUID
    ) -> UUID:
        """Have people own the conversation that a message goes to; it is locked from here on."""
        head = await thread.head(connection, looker, conversation_id)
        if head.erased_at is not None:
            raise ConflictError("This contact was erased. Nobody can write to them any more.")
        if head.blocked_at is not None:
            raise ConflictError("This contact is blocked. Unblock them first.")
        if not head.channel_enabled:
            raise ConflictError("This number is switched off. Connect it again first.")
        if head.state == "resolved":
            conversation_id = await writing.open_one(connection, looker, conversation_id)
            head = await thread.head(connection, looker, conversation_id)
        if head.state == "resolved":
            await ownership.reopen(connection, looker.tenant_id, conversation_id, looker.user_id)
        # What was handed over stays with people for good; only a takeover ends by itself.
        for_s = None if head.people_own and head.human_until is None else TAKEOVER_S
        await ownership.take_over(
            connection, looker.tenant_id, conversation_id, looker.user_id, for_s=for_s
        )
        return conversation_id

    async def start(self, person: SignedIn, contact_id: UUID) -> UUID:
        """Return the conversation to go on with a contact in; see ``writing.last_with``."""
        looker = viewer(person, Permission.ANSWER)
        async with self._database.tenant(looker.tenant_id) as connection:
            found = await writing.last_with(connection, looker, contact_id)
            await thread.head(connection, looker, found)
            return found

    @asynccontextmanager
    async def acting(
        self,
        person: SignedIn,
        conversation_id: UUID,
        permission: Permission = Permission.ANSWER,
    ) -> AsyncIterator[tuple[AsyncConnection, Viewer, Head]]:
        """Open the transaction of something that a person does to a conversation they see."""
        looker = viewer(person, permission)
        async with self._database.tenant(looker.tenant_id) as connection:
            yield connection, looker, await thread.head(connection, looker, conversation_id)

    async def block(
        self, person: SignedIn, conversation_id: UUID, device: Device, *, on: bool
    ) -> None:
        """Block the contact of a conversation, or let them in again."""
        person.business(Permission.EDIT_CONTACTS)
        async with self.acting(person, conversation_id) as (connection, looker, head):
            actor = actor_of(person, device)
            await card.mark(connection, looker.tenant_id, head.contact_id, "block", actor, on=on)

    @asynccontextmanager
    async def writing_words(
        self, person: SignedIn
    ) -> AsyncIterator[tuple[AsyncConnection, Viewer]]:
        """Open the transaction of a change to what the whole team uses."""
        looker = viewer(person, Permission.ANSWER)
        async with self._database.tenant(looker.tenant_id) as connection:
            yield connection, looker

    async def summary(self, person: SignedIn) -> Summary:
        """Return what stands around the list: counts, labels, canned replies."""
        looker = viewer(person)
        async with self._database.tenant(looker.tenant_id) as connection:
            return await listing.summary(connection, looker)
