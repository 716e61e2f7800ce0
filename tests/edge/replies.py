"""Replies on their way, as a worker leaves them in the database at each step."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.messaging.sends.queueing import Outgoing, queue
from app.messaging.sends.settling import Acceptance, accept_parts
from app.messaging.turns.claiming import claim
from app.messaging.turns.model import ClaimedTurn
from tests.worlds import Shop, World


@dataclass(frozen=True)
class Part:
    """A bubble of a reply: its row, and the WhatsApp id we chose for it."""

    id: UUID
    client_id: str


async def claim_turn(world: World, shop: Shop) -> ClaimedTurn:
    """Lease the business's only due turn, as a worker does."""
    await world.run(
        "update turns set due_at = now() where tenant_id = $1 and state = 'waiting'",
        shop.tenant_id,
    )
    found = await claim(world.db, owner="worker:test", lease_s=600, turns_max=1000)
    (turn,) = (t for t in found if t.tenant_id == shop.tenant_id)
    return turn


async def sending(world: World, shop: Shop, text: str, *, state: str = "sending") -> Part:
    """Answer the waiting turn up to the moment where WAHA has been called."""
    turn = await claim_turn(world, shop)
    async with world.db.system() as connection:
        queued = await queue(
            connection,
            shop.tenant_id,
            {turn: Outgoing(bubbles=[text])},
            answer_max_age_s=world.settings.timings.answer_max_age_s,
        )
    await world.run("update turns set state = 'sending' where id = $1", turn.id)
    row = await world.one(
        "update send_parts set state = $2, started_at = now(), attempts = 1 where id = $1"
        " returning id, client_message_id",
        queued[turn.id][0].id,
        state,
    )
    return Part(row["id"], row["client_message_id"])


async def accepted(world: World, shop: Shop, text: str, *, wa_id: str) -> Part:
    """Answer the waiting turn; WAHA took it and told its id."""
    part = await sending(world, shop, text)
    async with world.db.system() as connection:
        told = Acceptance(part.id, wa_id, "answer")
        assert await accept_parts(connection, world.settings, shop.tenant_id, [told])
    return part


async def part_row(world: World, part: Part) -> dict[str, Any]:
    """The part as it stands."""
    return await world.one("select * from send_parts where id = $1", part.id)
