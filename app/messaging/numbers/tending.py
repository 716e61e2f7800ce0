"""Bringing a number's session to what the business wants: made, configured, started, ended.

One function for the page's buttons and for the keeper, so that whatever was interrupted is
finished by the other: the session's name is derived from the channel's id, so it is found again
whether or not we committed that it was made. No transaction is open meanwhile.
"""

from dataclasses import dataclass

from app.channels.port import ChannelAccess
from app.channels.waha.session_config import carries
from app.channels.waha.sessions import SessionFacts, SessionTakenError, WahaSessions
from app.core.errors import ProviderError
from app.core.outbound import OutboundRefused
from app.messaging.numbers.reading import Access, Number

_UNAUTHORIZED = frozenset({401, 403})
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Tended:
    """What became of it.

    Attributes:
        facts: the session afterwards; None when WAHA has none to tell.
        problem: one of ``tenants.models.CHANNEL_PROBLEMS``.
        version: WAHA's version, when it was asked.
        repaired: something was made, changed or started.
        removed: the session is gone for good, as wanted.
    """

    facts: SessionFacts | None = None
    problem: str | None = None
    version: str | None = None
    repaired: bool = False
    removed: bool = False


def problem_of(error: Exception) -> str:
    """Name what a failed call means for the number."""
    status = error.status_code if isinstance(error, ProviderError) else None
    if status is None or status >= _SERVER_ERROR:
        return "unreachable"
    if status in _UNAUTHORIZED:
        return "unauthorized"
    return "refused" if isinstance(error, SessionTakenError) else "not_waha"


class Tending:
    """Compares wish and session, and acts where they differ."""

    def __init__(self, sessions: WahaSessions, access: Access) -> None:
        self._sessions = sessions
        self._access = access

    async def look(self, number: Number) -> Tended:
        """Read the session, change nothing."""
        try:
            facts = await self._sessions.get(self._access.of(number))
        except (ProviderError, OutboundRefused) as error:
            return Tended(problem=problem_of(error))
        return Tended(facts, problem="missing" if facts is None else None)

    async def settle(self, number: Number) -> Tended:
        """Do what the wish asks for; failures become the outcome's problem."""
        access = self._access.of(number)
        try:
            if number.wanted == "removed":
                await self._sessions.delete(access)
                return Tended(removed=True)
            tended = await self._settle(number, access)
            if number.engine_version is not None or tended.problem:
                return tended
            version, _ = await self._sessions.version(access)
            return Tended(tended.facts, None, version, tended.repaired)
        except (ProviderError, OutboundRefused) as error:
            return Tended(problem=problem_of(error), repaired=True)

    async def _settle(self, number: Number, access: ChannelAccess) -> Tended:
        facts = await self._sessions.get(access)
        if facts is None:
            if not number.managed or number.wanted == "off":
                return Tended(problem="missing")
            return await self._make(number, access)
        if facts.channel_note not in (None, str(number.id)):
            return Tended(problem="taken")
        if not number.managed or not await self._mend(number, access, facts):
            return Tended(facts)
        facts = await self._sessions.get(access)
        return Tended(facts, problem=None if facts else "missing", repaired=True)

    async def _make(self, number: Number, access: ChannelAccess) -> Tended:
        try:
            await self._sessions.create(access, self._access.config(number))
        except SessionTakenError:
            # Perhaps another process of ours was quicker; else WAHA holds one session only.
            facts = await self._sessions.get(access)
            if facts is None:
                raise
            taken = facts.channel_note not in (None, str(number.id))
            return Tended(facts, problem="taken" if taken else None, repaired=True)
        facts = await self._sessions.get(access)
        return Tended(facts, problem=None if facts else "missing", repaired=True)

    async def _mend(self, number: Number, access: ChannelAccess, facts: SessionFacts) -> bool:
        """Change what differs; True when something was changed."""
        runs = facts.status != "STOPPED"
        wanted = self._access.config(number)
        configured = carries(facts.config, wanted)
        if not configured:
            await self._sessions.configure(access, wanted)
        if number.wanted == "off":
            if runs:
                await self._sessions.stop(access)
            return runs or not configured
        if not runs:
            await self._sessions.start(access)
        elif facts.status == "FAILED" and facts.own_address and configured:
            # Paired, and still failed: WhatsApp's side may just have been away.
            await self._sessions.restart(access)
        else:
            return not configured
        return True
