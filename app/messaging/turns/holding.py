"""The hold: is a claimed turn still ours to answer? Read, price, and set the credits aside.

One transaction for the turns of a tenant that stand here together (``Batches``), in the
order of locks conversations → turns → wallet; nothing outside is asked in it. The most that a
reply can cost is held before the model is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.core.faults import fault_point
from app.core.ids import derived_uuid
from app.core.ports import PastMessage, Prepared, Question
from app.messaging import conversations
from app.messaging.media import charging
from app.messaging.sends.parts import Parts
from app.messaging.states import Disposition, Notice, TurnState
from app.messaging.turns import noticing, queries, wordless
from app.messaging.turns.batches import BUSY, Outcome
from app.messaging.turns.braking import brake, is_loop
from app.messaging.turns.ending import Ending, end_turn
from app.messaging.turns.model import ClaimedTurn, Engine, Lease, LeaseLostError
from app.messaging.turns.refusing import REFUSALS, refuse
from billing import prices
from billing.ledger.schemas import HoldOutcome, HoldRequest, HoldVerdict
from billing.ledger.service import hold_many

_HISTORY_MESSAGES_MAX = 60
# A customer who wrote on while nobody could answer is read whole, within reason.
_HISTORY_BEFORE_MIN = 20
_UNANSWERED_MAX = 300
_HOLDS_MAX = 20


async def hold(engine: Engine, turn: ClaimedTurn) -> Prepared | Parts | None:
    """Hold credits for a turn and build its prompt; None when it ended instead.

    A turn that a fixed text answers needs neither: its parts, ready to be sent.

    Raises:
        LeaseLostError: another worker has the turn.
    """
    prepared = await engine.batches.join(_hold_all, engine, turn.tenant_id, turn)
    fault_point("hold.after_commit")
    return prepared


async def _hold_all(
    engine: Engine, tenant_id: UUID, turns: Sequence[ClaimedTurn]
) -> Sequence[Outcome[Prepared | Parts | None]]:
    outcomes: dict[Lease, Outcome[Prepared | Parts | None]] = {}
    async with engine.database.tenant(tenant_id) as connection:
        owners = await conversations.lock_free(
            connection, tenant_id, [t.conversation_id for t in turns]
        )
        free = [t for t in turns if t.conversation_id in owners]
        mine = await _lock_turns(engine, connection, tenant_id, free)
        going_on: list[ClaimedTurn] = []
        noticed: dict[ClaimedTurn, Notice] = {}
        for turn in free:
            if turn.lease not in mine:
                outcomes[turn.lease] = LeaseLostError()
            elif stop := _stop_reason(owners[turn.conversation_id], mine[turn.lease]):
                await _cancel(engine, connection, turn, stop)
                outcomes[turn.lease] = None
            elif notice := noticing.due(mine[turn.lease]):
                noticed[turn] = notice
            else:
                going_on.append(turn)
        outcomes.update(await noticing.speak(engine, connection, tenant_id, noticed))
        if going_on:
            outcomes.update(await _prepare_and_hold(engine, connection, tenant_id, going_on, mine))
        fault_point("hold.before_commit")
    return [outcomes.get(turn.lease, BUSY) for turn in turns]


async def _lock_turns(
    engine: Engine, connection: AsyncConnection, tenant_id: UUID, turns: Sequence[ClaimedTurn]
) -> Mapping[Lease, Any]:
    values = {
        "tenant_id": tenant_id,
        "ids": [t.id for t in turns],
        "epochs": [t.epoch for t in turns],
        "owner": engine.owner,
        "answer_max_age_s": engine.settings.timings.answer_max_age_s,
    }
    return {(row.id, row.epoch): row for row in await connection.execute(queries.MINE, values)}


def _stop_reason(ownership: conversations.Ownership, mine: Any) -> Disposition | None:
    """Return why a claimed turn must not be answered any more, or None."""
    left = mine.opted_out and mine.notice != Notice.OPTED_OUT
    rules = (
        (mine.tenant_status != "active", Disposition.SUSPENDED),
        (mine.blocked, Disposition.BLOCKED),
        (left, Disposition.OPTED_OUT),
        (ownership.people_own, Disposition.HUMAN_OWNED),
        (ownership.paused or mine.off, Disposition.PAUSED),
        # Every message of the turn was deleted by its author.
        (mine.age_s is None, Disposition.EMPTY),
        ((mine.age_s or 0) > mine.answer_max_age_s, Disposition.TOO_OLD),
    )
    return next((disposition for applies, disposition in rules if applies), None)


async def _cancel(
    engine: Engine, connection: AsyncConnection, turn: ClaimedTurn, disposition: Disposition
) -> None:
    ending = Ending(turn.id, TurnState.CANCELLED, disposition, disposition.value)
    await end_turn(connection, engine.settings, turn.tenant_id, ending)


async def _prepare_and_hold(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    turns: Sequence[ClaimedTurn],
    mine: Mapping[Lease, Any],
) -> Mapping[Lease, Prepared | None]:
    questions = await _questions(connection, tenant_id, turns, mine)
    looping = {t for t, q in zip(turns, questions, strict=True) if is_loop(q, mine[t.lease])}
    for turn in looping:
        await brake(engine, connection, turn)
    # Asked once already to type what a file cannot tell us: a second time would be nagging.
    asked_before = {
        t
        for t, q in zip(turns, questions, strict=True)
        if q.fixed_reply == wordless.NOTHING and t not in looping
    }
    for turn in asked_before:
        await _cancel(engine, connection, turn, Disposition.IGNORED_KIND)
    over = looping | asked_before
    if len(over) == len(turns):
        return {turn.lease: None for turn in turns}
    going_on = [t for t in turns if t not in over]
    asked = [q for t, q in zip(turns, questions, strict=True) if t not in over]
    prepared = await engine.answerer.prepare(connection, asked)
    wanted = {
        turn: replace(each, files=question.files) if question.files else each
        for turn, each, question in zip(going_on, prepared, asked, strict=True)
    }
    refused = await _place_holds(engine, connection, tenant_id, wanted, mine)
    for turn, outcome in refused.items():
        await refuse(engine, connection, turn, outcome, day_left_s=mine[turn.lease].day_left_s)
    return {turn.lease: None if turn in refused else each for turn, each in wanted.items()}


async def _questions(
    connection: AsyncConnection,
    tenant_id: UUID,
    turns: Sequence[ClaimedTurn],
    mine: Mapping[Lease, Any],
) -> list[Question]:
    """Read what each turn is to answer, and what was said before, oldest first."""
    found = await connection.execute(
        queries.HISTORY,
        {
            "tenant_id": tenant_id,
            "ids": [t.id for t in turns],
            "conversations": [t.conversation_id for t in turns],
            "messages_max": _HISTORY_MESSAGES_MAX,
            "before_min": _HISTORY_BEFORE_MIN,
            "unanswered_max": _UNANSWERED_MAX,
        },
    )
    rows: dict[UUID, list[Any]] = {turn.id: [] for turn in turns}
    for row in found:
        rows[row.turn_id].append(row)
    return [await _question(connection, turn, rows[turn.id], mine[turn.lease]) for turn in turns]


async def _question(
    connection: AsyncConnection, turn: ClaimedTurn, rows: Sequence[Any], mine: Any
) -> Question:
    spoke = any(row.author == "assistant" for row in rows)
    if not spoke and len(rows) >= _HISTORY_MESSAGES_MAX:
        scope = {"tenant_id": turn.tenant_id, "conversation_id": turn.conversation_id}
        spoke = bool(await connection.scalar(queries.SPOKE_BEFORE, scope))
    # What is to be answered stands last, whatever the clocks of the phones said.
    ordered = [r for r in rows if not r.unanswered] + [r for r in rows if r.unanswered]
    return Question(
        tenant_id=turn.tenant_id,
        conversation_id=turn.conversation_id,
        turn_id=turn.id,
        history=[
            PastMessage(r.author, r.kind, wordless.said(r), r.sent_at, r.unanswered)
            for r in ordered
        ],
        first_reply=not spoke,
        customer_name=next((r.push_name for r in rows if r.push_name), None),
        contact_id=mine.contact_id,
        channel_id=turn.channel_id,
        files=wordless.files(ordered),
        fixed_reply=wordless.fixed_reply(ordered, mine.locale),
    )


async def _place_holds(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    wanted: Mapping[ClaimedTurn, Prepared],
    mine: Mapping[Lease, Any],
) -> Mapping[ClaimedTurn, HoldOutcome]:
    """Hold the most that each reply can cost, in one call; return the turns refused, and why."""
    price = await prices.current(connection)
    amounts = {turn: _amount_ucr(price, each) for turn, each in wanted.items()}
    held: list[dict[str, Any]] = []
    refused: dict[ClaimedTurn, HoldOutcome] = {}
    left = list(amounts)
    for attempt in range(_HOLDS_MAX):
        if not left:
            break
        asked = [
            _request(turn, attempt, amounts[turn], price.id, mine[turn.lease].contact_id)
            for turn in left
        ]
        outcomes = await hold_many(connection, asked)
        again: list[ClaimedTurn] = []
        for turn, request in zip(left, asked, strict=True):
            outcome = outcomes[request.hold_id]
            if _is_ours(turn, outcome):
                held.append({"id": turn.id, "epoch": turn.epoch, "hold_id": request.hold_id})
            elif outcome.verdict in REFUSALS:
                refused[turn] = outcome
            else:  # released by an earlier end of this turn: a hold is never opened twice
                again.append(turn)
        left = again
    if left:
        raise RuntimeError("a turn has used up its holds")
    if held:
        lease_s = engine.settings.timings.lease_s
        values = {"tenant_id": tenant_id, "rows": as_rows(held), "lease_s": lease_s}
        await connection.execute(queries.HELD, values)
    return refused


def _amount_ucr(price: prices.PriceVersion, prepared: Prepared) -> int:
    # What costs nothing is held too, at nothing: caps and a stop of the assistant bind it.
    files_ucr = charging.price_ucr(price, prepared.files)
    if prepared.free:
        return files_ucr
    most = (prepared.input_tokens_max, prepared.output_tokens_max)
    return prices.upper_bound(price, prepared.model, *most) + files_ucr


def _request(
    turn: ClaimedTurn, attempt: int, amount_ucr: int, price_id: int, contact_id: UUID
) -> HoldRequest:
    return HoldRequest(
        tenant_id=turn.tenant_id,
        hold_id=derived_uuid(turn.id, f"hold:{attempt}"),
        job_id=turn.id,
        amount_ucr=amount_ucr,
        price_version_id=price_id,
        created_by="worker",
        request_id=turn.request_id,
        contact_id=contact_id,
    )


def _is_ours(turn: ClaimedTurn, outcome: HoldOutcome) -> bool:
    # A conflict is our own hold of an earlier try, made when the prompt was another.
    conflict = outcome.verdict is HoldVerdict.CONFLICT and turn.state == "held"
    return outcome.live or conflict
