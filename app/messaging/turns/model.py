"""A claimed turn, and the engine that carries what its steps need."""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from app.channels.port import Sender
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.engine import Database
from app.core.limits.types import Limiter
from app.core.media.store import MediaStore
from app.core.ports import Answerer
from app.messaging.turns.batches import Batches

Lease: TypeAlias = tuple[UUID, int]
"""A turn's id and the epoch it was claimed with."""


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    """A turn under our lease. Writes carry ``epoch``: after a lost lease they match nothing."""

    tenant_id: UUID
    id: UUID
    conversation_id: UUID
    channel_id: UUID
    state: str
    epoch: int
    attempts: int
    request_id: str | None
    failing_s: float | None
    turn_per_min: int
    turn_burst: int
    send_per_min: int
    send_burst: int

    @property
    def lease(self) -> Lease:
        """What our writes are fenced by. A turn of which a lease ran out may be here twice."""
        return self.id, self.epoch


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts a turn runs on. ``owner`` names this process in leases."""

    database: Database
    answerer: Answerer
    sender: Sender
    limiter: Limiter
    settings: Settings
    keyring: Keyring
    owner: str
    store: MediaStore
    batches: Batches = field(default_factory=Batches)


class LeaseLostError(Exception):
    """Another worker has the turn, or it ended: stop without a trace."""
