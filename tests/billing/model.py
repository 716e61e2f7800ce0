"""The ledger once more, in plain Python: what the state machine compares the database with."""

from dataclasses import dataclass, field
from math import inf
from uuid import UUID


@dataclass
class Lot:
    order: tuple[float, float, int]  # priority, end, number
    expired_already: bool
    available: int
    held: int = 0
    spent: int = 0
    expired: int = 0
    clawed: int = 0


@dataclass
class Part:
    lot: Lot
    amount: int
    captured: int = 0
    refunded: int = 0


@dataclass
class Hold:
    amount: int
    parts: list[Part]
    state: str = "pending"
    captured: int = 0
    delivered: bool = False

    @property
    def refundable(self) -> int:
        return sum(p.captured - p.refunded for p in self.parts)


@dataclass
class Model:
    lots: list[Lot] = field(default_factory=list)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    owed: int = 0

    def total(self, bucket: str) -> int:
        return sum(getattr(lot, bucket) for lot in self.lots)

    def grant(self, amount, priority, *, end=inf, expired=False) -> Lot:
        lot = Lot((priority, end, len(self.lots)), expired, amount)
        self.lots.append(lot)
        self._pay_owed()
        return lot

    def hold(self, hold_id, amount) -> str:
        usable = [lot for lot in sorted(self.lots, key=_order) if not lot.expired_already]
        if self.owed:
            return "blocked"
        if amount > sum(lot.available for lot in usable):
            return "insufficient"
        parts: list[Part] = []
        left = amount
        for lot in usable:
            take = min(left, lot.available)
            if take:
                lot.available -= take
                lot.held += take
                left -= take
                parts.append(Part(lot, take))
        self.holds[hold_id] = Hold(amount, parts)
        return "held"

    def close(self, hold_id, captured) -> str:
        hold = self.holds[hold_id]
        if hold.state != "pending":
            return "exists" if hold.captured == captured else f"closed:{hold.state}"
        if captured > hold.amount:
            return "exceeds"
        hold.captured = captured
        hold.state = "captured" if captured else "released"
        for part in hold.parts:
            part.captured = min(captured, part.amount)
            captured -= part.captured
            part.lot.held -= part.amount
            part.lot.spent += part.captured
            part.lot.available += part.amount - part.captured
        self._pay_owed()
        return hold.state

    def refund(self, hold_id, amount) -> str:
        hold = self.holds[hold_id]
        if amount > hold.refundable:
            return "exceeds"
        for part in reversed(hold.parts):
            back = min(amount, part.captured - part.refunded)
            amount -= back
            part.refunded += back
            part.lot.spent -= back
            part.lot.available += back
        self._pay_owed()
        return "refunded"

    def claw(self, amount) -> str:
        self.owed += self._claw(amount)
        return "clawed"

    def expire(self) -> int:
        gone = 0
        for lot in self.lots:
            if lot.expired_already:
                gone += lot.available
                lot.expired += lot.available
                lot.available = 0
        return gone

    def _pay_owed(self) -> None:
        self.owed = self._claw(self.owed)

    def _claw(self, amount) -> int:
        for lot in sorted(self.lots, key=_order, reverse=True):
            take = min(amount, lot.available)
            lot.available -= take
            lot.clawed += take
            amount -= take
        return amount


def _order(lot: Lot) -> tuple[float, float, int]:
    return lot.order
