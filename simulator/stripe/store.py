"""Stripe's objects as the simulator keeps them, in the shape of API version 2026-10-28."""

import secrets
import string
import time
from datetime import UTC, datetime
from typing import Any

API_VERSION = "2026-10-28.endive"
Object = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits
_TAX_PERCENT = 19


def new_id(prefix: str) -> str:
    """An id in Stripe's form."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(24))}"


def now_s() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def next_month(start_s: int) -> int:
    """The same day of the next month, or its last one."""
    start = datetime.fromtimestamp(start_s, UTC)
    year, month = divmod(start.year * 12 + start.month, 12)
    for day in range(start.day, 27, -1):
        try:
            return int(start.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    return int(start.replace(year=year, month=month + 1).timestamp())


class Store:
    """All objects by kind and id."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}
        self._invoices = 0

    def add(self, kind: str, item: Object) -> Object:
        """Keep a new object."""
        self._objects.setdefault(kind, {})[item["id"]] = item
        return item

    def get(self, kind: str, ref: str) -> Object | None:
        """One object; None when there is none."""
        return self._objects.get(kind, {}).get(ref)

    def all(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        return list(self._objects.get(kind, {}).values())

    def forget(self) -> int:
        """Forget everything; returns how many objects there were."""
        gone = sum(len(items) for items in self._objects.values())
        self._objects.clear()
        return gone

    def invoice_number(self) -> str:
        """The next invoice's number."""
        self._invoices += 1
        return f"SIM-{self._invoices:04d}"

    def charge(self, session: Object) -> Object:
        """A payment that succeeded: intent and charge of a session or an invoice."""
        intent_ref, charge_ref = new_id("pi"), new_id("ch")
        common = {
            "customer": session["customer"],
            "currency": session["currency"],
            "metadata": dict(session.get("payment_metadata") or {}),
            "created": now_s(),
        }
        amount = session["amount_total"]
        self.add(
            "charge",
            {
                "id": charge_ref,
                "object": "charge",
                "amount": amount,
                "amount_captured": amount,
                "amount_refunded": 0,
                "refunded": False,
                "disputed": False,
                "paid": True,
                "status": "succeeded",
                "payment_intent": intent_ref,
                "receipt_url": f"https://pay.stripe.invalid/receipts/{charge_ref}",
                **common,
            },
        )
        intent = {
            "id": intent_ref,
            "object": "payment_intent",
            "amount": amount,
            "amount_received": amount,
            "status": "succeeded",
            "latest_charge": charge_ref,
            **common,
        }
        return self.add("payment_intent", intent)

    def invoice(self, **values: Any) -> Object:
        """An invoice; its amounts and state are the caller's."""
        ref = new_id("in")
        invoice = {
            "id": ref,
            "object": "invoice",
            "number": self.invoice_number(),
            "hosted_invoice_url": f"https://invoice.stripe.invalid/{ref}",
            "attempt_count": 1,
            "created": now_s(),
            "payments": {"object": "list", "data": [], "has_more": False},
            "total_taxes": [],
            **values,
        }
        return self.add("invoice", invoice)

    def pay_invoice(self, invoice: Object) -> Object:
        """Pay an invoice with a charge of its own."""
        source = {
            "customer": invoice["customer"],
            "currency": invoice["currency"],
            "amount_total": invoice["amount_due"],
        }
        intent = self.charge(source)
        invoice["payments"]["data"] = [
            {
                "id": new_id("inpay"),
                "object": "invoice_payment",
                "status": "paid",
                "amount_paid": invoice["amount_due"],
                "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            }
        ]
        invoice |= {"status": "paid", "amount_paid": invoice["amount_due"], "amount_remaining": 0}
        return invoice


def tax_of(subtotal: int, *, taxed: bool) -> int:
    """The tax on top of an amount: 19 %, rounded to the nearest minor unit."""
    return (subtotal * _TAX_PERCENT + 50) // 100 if taxed else 0


def expanded(store: Store, item: Object, names: list[str]) -> Object:
    """An object with the ids behind `names` (`a.b` lies inside `a`) replaced by what they name."""
    answer = {key: value for key, value in item.items() if key != "payment_metadata"}
    kinds = {"latest_charge": "charge"}
    for name in names:
        head, _, rest = name.partition(".")
        ref = answer.get(head)
        found = store.get(kinds.get(head, head), ref) if isinstance(ref, str) else None
        if found is not None:
            answer[head] = expanded(store, found, [rest] if rest else [])
    return answer
