"""Talking to one's assistant without a customer: the draft, or a reply once more.

Nothing is sent, kept or charged; tools that would change something are not called. It costs the
platform a model call, so each person has a limit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.answering import ModelAnswerer, Work, passages_of
from app.assistant.conversing import Finished
from app.assistant.profiles import Profile
from app.assistant.prompt import Known, Situation
from app.assistant.reading import Business, local_time, read_business
from app.assistant.versions import version_of
from app.core.db.engine import Database
from app.core.errors import NotFoundError, ProviderError, RefusedError, TooManyAttemptsError
from app.core.limits.types import Check, Limiter, Policy
from app.core.ports import PastMessage, Question
from app.messaging.turns.wordless import said
from billing import prices
from tenants.access import Permission
from tenants.login_sessions import SignedIn

MESSAGES_MAX = 30
CHARS_MAX = 1_000
POLICY = Policy("playground", limit=20, per_s=60, burst=10)
SUGGESTIONS = Policy("suggestion", limit=12, per_s=60, burst=6)
"""For each person who answers customers."""
_NOBODY = UUID(int=0)
_ASKED = text(
    """
    select t.conversation_id, t.channel_id, t.generated_at, c.contact_id,
           coalesce(k.name, k.push_name) as customer_name, x.trace
    from turns t
    join conversations c on c.tenant_id = t.tenant_id and c.id = t.conversation_id
    join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    left join turn_traces x on x.tenant_id = t.tenant_id and x.turn_id = t.id
    where t.tenant_id = :tenant_id and t.id = :turn_id and t.generated_at is not null
    """
)
_WAITING = text(
    """
    select c.channel_id, c.contact_id, coalesce(k.name, k.push_name) as customer_name
    from conversations c
    join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    where c.tenant_id = :tenant_id and c.id = :conversation_id
    """
)
# What is to be answered: what came from the customer since anybody else wrote, in the order in
# which it was stored (phones tell whole seconds only, and their clocks differ from ours).
_OPEN = text(
    """
    select m.author, m.kind, coalesce(m.body, '') as body, m.sent_at,
           f.id as file_id, f.name as file_name, f.reading,
           m.direction = 'in' and not exists (
               select 1 from messages o
               where o.tenant_id = m.tenant_id and o.conversation_id = m.conversation_id
                 and o.direction = 'out' and o.revoked_at is null
                 and o.id > m.id) as unanswered
    from (select * from messages where tenant_id = :tenant_id
            and conversation_id = :conversation_id and revoked_at is null
          order by sent_at desc, id desc limit 60) m
    left join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
    order by unanswered, m.sent_at, m.id
    """
)
_HISTORY = text(
    """
    select m.author, m.kind, coalesce(m.body, '') as body, m.sent_at,
           coalesce(m.turn_id = :turn_id, false) as unanswered,
           f.id as file_id, f.name as file_name, f.reading
    from messages m
    left join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
    where m.tenant_id = :tenant_id and m.conversation_id = :conversation_id
      and m.revoked_at is null and m.sent_at <= :until
      and not (m.direction = 'out' and coalesce(m.turn_id = :turn_id, false))
    order by m.sent_at desc, m.id desc limit 60
    """
)


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a rehearsal. ``author`` is customer or assistant."""

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the assistant would have said, and how it came about.

    ``cost_usd_micro`` is what the model costs the platform; None when that is not known.
    ``price_ucr`` is what the reply would have cost the business; ``used_titles`` names the
    facts and passages that the model says it used.
    """

    reply: str
    opening: str
    finished: Finished
    searched: bool
    cost_usd_micro: int | None
    price_ucr: int | None
    used_titles: Sequence[str]


class Playground:
    """Rehearsals on behalf of people who may edit the assistant."""

    def __init__(self, database: Database, answerer: ModelAnswerer, limiter: Limiter) -> None:
        self._database = database
        self._answerer = answerer
        self._limiter = limiter

    async def say(
        self, person: SignedIn, lines: Sequence[Line], profile: Profile | None
    ) -> Rehearsed:
        """Answer the last line, as the draft would.

        Args:
            person: who rehearses; 20 a minute.
            lines: the conversation, its last line the customer's.
            profile: the draft; None for the live version.
        """
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        if not lines or lines[-1].author != "customer" or not lines[-1].text.strip():
            raise RefusedError("Write a message first.")
        if len(lines) > MESSAGES_MAX or any(len(line.text) > 4 * CHARS_MAX for line in lines):
            raise RefusedError("This conversation is too long for the playground. Start a new one.")
        await self._admit(person, POLICY)
        question = _question(tenant_id, lines)
        async with self._database.tenant(tenant_id) as connection:
            business = await read_business(connection, [question])
        if profile is not None:
            business = replace(business, profile=profile, version=None)
        return await self._rehearse(tenant_id, business, question)

    async def again(self, person: SignedIn, turn_id: UUID, *, as_it_was: bool) -> Rehearsed:
        """Answer a turn once more: with the version, day and passages of then, or of now.

        As it was are the assistant's version, the day, and every passage that was searched for or
        used, in the words of then. What is remembered of the customer is as it is now.
        NotFoundError when the turn is unknown, foreign, or was never answered.
        """
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        await self._admit(person, POLICY)
        async with self._database.tenant(tenant_id) as connection:
            question, row = await _asked(connection, tenant_id, turn_id)
            business = await read_business(connection, [question])
            moment, told = None, None
            if as_it_was:
                moment, told = row.generated_at, passages_of(row.trace or {})
                number = (row.trace or {}).get("version")
                if number is not None:
                    then = await version_of(connection, tenant_id, int(number))
                    business = replace(business, profile=then.profile, version=number)
                # A pair that was told then is told in its words of then, and once.
                ours = {passage.id for passage in told}
                pairs = [pair for pair in business.pairs if pair.id not in ours]
                business = replace(business, pairs=pairs)
        return await self._rehearse(tenant_id, business, question, moment=moment, told=told)

    async def suggest(self, person: SignedIn, conversation_id: UUID) -> str:
        """Return what the live assistant would answer to what nobody has answered yet.

        For a person who reads it before anything is sent: without the AI notice. Whether they may
        see the conversation is the caller's to ask.

        Raises:
            NotFoundError: the conversation is unknown or foreign.
            RefusedError: nothing waits for an answer, or the assistant knows none.
        """
        tenant_id = person.business(Permission.ANSWER)
        await self._admit(person, SUGGESTIONS)
        async with self._database.tenant(tenant_id) as connection:
            question = await _waiting(connection, tenant_id, conversation_id)
            business = await read_business(connection, [question])
        finished, _ = await self._work_out(self._answerer.work(business, question), business)
        if finished.handover_reason is not None or not finished.reply:
            raise RefusedError("The assistant knows no answer to this: it would ask a person.")
        return finished.reply

    async def _work_out(self, work: Work, business: Business) -> tuple[Finished, str]:
        """Return the answer, and which model was asked."""
        model = self._answerer.model_of(business.profile)
        try:
            finished, _ = await self._answerer.work_out(work, model=model, rehearsal=True)
        except ProviderError:
            raise RefusedError(
                "The model does not answer at the moment. Try again in a minute."
            ) from None
        return finished, model

    async def _rehearse(
        self,
        tenant_id: UUID,
        business: Business,
        question: Question,
        *,
        moment: datetime | None = None,
        told: Sequence[Known] | None = None,
    ) -> Rehearsed:
        work = replace(self._answerer.work(business, question), told=told)
        if moment is not None:
            zone = local_time(business.time_zone).tzinfo
            then = replace(work.situation, local_time=moment.astimezone(zone))
            work = replace(work, situation=then)
        situation = work.situation
        finished, model = await self._work_out(work, business)
        cost, price = await self._costs(tenant_id, model, finished)
        return Rehearsed(
            reply=finished.reply,
            opening=situation.opening,
            finished=finished,
            searched=business.searches,
            cost_usd_micro=cost,
            price_ucr=price,
            used_titles=_titles(finished, situation),
        )

    async def _costs(
        self, tenant_id: UUID, model: str, finished: Finished
    ) -> tuple[int | None, int | None]:
        usage = prices.Usage(
            model=model, input_tokens=finished.input_tokens, output_tokens=finished.output_tokens
        )
        async with self._database.tenant(tenant_id) as connection:
            try:
                price = await prices.current(connection)
            except NotFoundError:
                return None, None
        return prices.provider_cost(price, usage), prices.price_of(price, usage)

    async def _admit(self, person: SignedIn, policy: Policy) -> None:
        verdict = await self._limiter.decide([Check(policy, str(person.user_id))])
        if not verdict.allowed:
            raise TooManyAttemptsError(
                "That was fast. Go on in a moment.", retry_after_s=verdict.retry_after_s
            )


def _titles(finished: Finished, situation: Situation) -> list[str]:
    known = {p.id: p.title for p in (*situation.inline, *finished.passages)}
    facts = {fact.key for fact in situation.profile.facts}
    named = (known.get(each, each if each in facts else "") for each in finished.used_sources)
    return list(dict.fromkeys(filter(None, named)))


def _question(tenant_id: UUID, lines: Sequence[Line]) -> Question:
    now = local_time("UTC")
    last_answer = max((n for n, line in enumerate(lines) if line.author != "customer"), default=-1)
    history = [
        PastMessage(line.author, "text", line.text[:CHARS_MAX], now, unanswered=n > last_answer)
        for n, line in enumerate(lines)
    ]
    return Question(
        tenant_id=tenant_id,
        conversation_id=_NOBODY,
        turn_id=_NOBODY,
        history=history,
        first_reply=last_answer < 0,
        customer_name=None,
        contact_id=_NOBODY,
        channel_id=_NOBODY,
    )


async def _waiting(connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID) -> Question:
    scope = {"tenant_id": tenant_id, "conversation_id": conversation_id}
    row = (await connection.execute(_WAITING, scope)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such conversation.")
    found = (await connection.execute(_OPEN, scope)).all()
    history = [PastMessage(r.author, r.kind, said(r), r.sent_at, r.unanswered) for r in found]
    if not any(m.unanswered and m.text for m in history):
        raise RefusedError("There is nothing to answer: the last word is yours.")
    return Question(
        tenant_id=tenant_id,
        conversation_id=conversation_id,
        turn_id=_NOBODY,
        history=history,
        first_reply=False,
        customer_name=row.customer_name,
        contact_id=row.contact_id,
        channel_id=row.channel_id,
    )


async def _asked(
    connection: AsyncConnection, tenant_id: UUID, turn_id: UUID
) -> tuple[Question, Any]:
    key = {"tenant_id": tenant_id, "turn_id": turn_id}
    row = (await connection.execute(_ASKED, key)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such reply.")
    values = {**key, "conversation_id": row.conversation_id, "until": row.generated_at}
    found = (await connection.execute(_HISTORY, values)).all()[::-1]
    history = [PastMessage(r.author, r.kind, said(r), r.sent_at, r.unanswered) for r in found]
    ordered = [m for m in history if not m.unanswered] + [m for m in history if m.unanswered]
    if not any(m.unanswered for m in ordered):
        raise NotFoundError("The messages of this reply are no longer kept.")
    question = Question(
        tenant_id=tenant_id,
        conversation_id=row.conversation_id,
        turn_id=turn_id,
        history=ordered,
        first_reply=not any(m.author == "assistant" for m in ordered),
        customer_name=row.customer_name,
        contact_id=row.contact_id,
        channel_id=row.channel_id,
    )
    return question, row


def told_passages(passages: Sequence[Known]) -> list[Mapping[str, Any]]:
    """Return passages for the page: title, kind, score in per cent, and the text's beginning."""
    return [
        {
            "title": p.title,
            "kind": p.kind,
            "percent": None if p.score is None else round(p.score * 100),
            "text": p.text[:280],
        }
        for p in passages
    ]
