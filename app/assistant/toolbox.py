"""The tools of a process: the built-in ones, made once, and each tenant's own."""

from collections.abc import Sequence

import aiohttp

from app.assistant.answering import Knowledge
from app.assistant.tools.builtin import HandToPerson, Remember, ResolveDate, SearchKnowledge
from app.assistant.tools.definitions import ToolDefinition
from app.assistant.tools.hours import CheckHours
from app.assistant.tools.http import Caller, HttpTool
from app.assistant.tools.port import Tool
from app.assistant.tools.verify import VerifyCustomer
from app.core.crypto import Keyring
from app.core.db.engine import Database
from tenants.phone_codes import PhoneCodes


class AssistantTools:
    """Offers tools to conversations.

    Args:
        database: for the tools' own short transactions.
        knowledge: what is searched.
        session: a guarded session; tenants' own tools go through it.
        keyring: opens the headers of tenants' tools.
        codes: sends one-time codes; None where nobody real is behind a conversation.
    """

    def __init__(
        self,
        database: Database,
        knowledge: Knowledge,
        session: aiohttp.ClientSession,
        keyring: Keyring,
        codes: PhoneCodes | None,
    ) -> None:
        self._always: Sequence[Tool] = (
            ResolveDate(),
            CheckHours(database),
            Remember(database),
            HandToPerson(),
        )
        self._search = SearchKnowledge(knowledge.search)
        self._verify = VerifyCustomer(database, codes) if codes is not None else None
        self._caller = Caller(session, database, keyring)

    def offer(self, definitions: Sequence[ToolDefinition], *, searches: bool) -> Sequence[Tool]:
        """Return the tools of a conversation."""
        offered: list[Tool] = [*self._always]
        if searches:
            offered.append(self._search)
        if self._verify is not None and any(d.needs_verified for d in definitions):
            offered.append(self._verify)
        return [*offered, *(HttpTool(each, self._caller) for each in definitions)]
