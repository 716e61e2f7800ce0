"""The way to Stripe's pages: pay for a top-up or a plan, look after payment methods, change plan.

Our row is written before Stripe is called, and its id is the idempotency key and stands in the
metadata: whatever Stripe tells later leads back to it. Calls are made outside transactions.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import ConflictError, NotFoundError, RefusedError
from billing import plans
from billing.payments import receipts, subscriptions
from billing.payments.periods import grant_period
from billing.payments.stripe_api import Object, StripeApi
from billing.payments.subscriptions import Subscription
from tenants.service import Actor, record

_PROFILE = text(
    """
    select t.name, t.billing_email, t.plan_code, p.customer_ref, p.legal_name
    from tenants t left join billing_profiles p on p.tenant_id = t.id where t.id = :tenant_id
    """
)
_KEEP_CUSTOMER = text(
    """
    insert into billing_profiles (tenant_id, customer_ref) values (:tenant_id, :ref)
    on conflict (tenant_id) do update
        set customer_ref = coalesce(billing_profiles.customer_ref, excluded.customer_ref)
    returning customer_ref
    """
)


class Checkout:
    """What a tenant's owner does about money. Use from one event loop."""

    def __init__(self, database: Database, stripe: StripeApi, settings: Settings) -> None:
        self._database = database
        self._stripe = stripe
        self._app_url = settings.app_url.rstrip("/")
        self._taxes = settings.stripe_automatic_tax

    @property
    def configured(self) -> bool:
        """True when payments can be made at all."""
        return self._stripe.configured

    async def start_checkout(
        self,
        tenant_id: UUID,
        actor: Actor,
        *,
        success_url: str,
        cancel_url: str,
        package_code: str | None = None,
        plan_code: str | None = None,
    ) -> str:
        """Begin to pay for a top-up package or a plan; returns the address of Stripe's page.

        Args:
            tenant_id: who pays.
            actor: who clicked, for the record.
            success_url: where Stripe leads afterwards; an address of ``APP_URL``.
            cancel_url: where it leads when the customer turns back; the same.
            package_code: the top-up package, or
            plan_code: the plan; exactly one of them.

        Raises:
            NotFoundError: no such tenant, package or plan is offered.
            RefusedError: an address elsewhere, a plan without a price.
            ConflictError: a subscription runs already: its plan can be changed.
            ProviderError: Stripe did not take it.
        """
        self._check_address(success_url)
        self._check_address(cancel_url)
        if (package_code is None) == (plan_code is None):
            raise RefusedError("Pay for either a top-up package or a plan.")
        if package_code is not None:
            row, line = await self._top_up(package_code)
        else:
            row, line = await self._plan(tenant_id, plan_code or "")
        payment_id = ids.uuid7()
        async with self._database.system() as connection:
            keys = {"tenant_id": tenant_id, "id": payment_id}
            author = f"{actor.kind}:{actor.id}"
            by = {"created_by": author, "request_id": actor.request_id}
            await receipts.open_payment(connection, {**keys, **row, **by})
        customer = await self._customer(tenant_id)
        metadata = {"tenant_id": str(tenant_id), "payment_id": str(payment_id)}
        urls = {"success_url": success_url, "cancel_url": cancel_url}
        params = _session_params(customer, line, metadata, row, taxes=self._taxes)
        session = await self._stripe.create_session({**params, **urls}, f"checkout:{payment_id}")
        async with self._database.system() as connection:
            await receipts.bind_session(connection, tenant_id, payment_id, str(session["id"]))
        return str(session["url"])

    async def start_card_setup(
        self, tenant_id: UUID, *, currency: str, success_url: str, cancel_url: str
    ) -> str:
        """Begin to save a card for purchases without a click; the address of Stripe's page.

        Raises:
            RefusedError: an address that is not of ``APP_URL``.
            ProviderError: Stripe did not take it.
        """
        self._check_address(success_url)
        self._check_address(cancel_url)
        params = {
            "customer": await self._customer(tenant_id),
            "mode": "setup",
            "currency": currency.lower(),
            # A bank debit is decided days later; what is bought by itself is paid at once.
            "payment_method_types": ["card"],
            "metadata": {"tenant_id": str(tenant_id)},
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        session = await self._stripe.create_session(params, f"card:{ids.uuid7()}")
        return str(session["url"])

    async def start_portal(self, tenant_id: UUID, *, return_url: str) -> str:
        """Open Stripe's customer portal (cards, invoices, cancelling); returns its address."""
        self._check_address(return_url)
        customer = await self._customer(tenant_id)
        session = await self._stripe.create_portal_session(
            {"customer": customer, "return_url": return_url}
        )
        return str(session["url"])

    async def change_plan(self, tenant_id: UUID, plan_code: str, actor: Actor) -> str:
        """Move a tenant to another plan; returns ``now`` or ``at_period_end``.

        A greater plan holds at once (with Stripe it is charged in proportion first), a smaller
        one when the period that is paid for ends.

        Raises:
            ConflictError: it is this plan already, or another change came in between.
            RefusedError: a plan with a price needs a checkout first.
            ProviderError: Stripe did not take it; status 402 when the charge was declined.
        """
        async with self._database.system() as connection:
            current = await subscriptions.lock(connection, tenant_id)
            new = await plans.plan(connection, plan_code)
            old = await plans.plan(connection, current.plan_code)
        _check_change(current, old, new, actor)
        up = new.rank > old.rank
        if current.provider_ref is not None:
            await self._change_at_stripe(current, new, up=up)
        async with self._database.system() as connection:
            now = await subscriptions.lock(connection, tenant_id)
            told = up and now.plan_code == new.code  # Stripe's event was quicker
            before = (current.plan_code, current.provider_ref)
            if (now.plan_code, now.provider_ref) != before and not told:
                raise ConflictError("The plan was changed in between; look again.")
            if up:
                await subscriptions.set_plan(connection, tenant_id, new.code)
            else:
                await subscriptions.set_next_plan(connection, tenant_id, new.code)
            await record(
                connection,
                tenant_id,
                actor,
                action="plan.change",
                subject=new.code,
                before={"plan_code": old.code},
                after={"plan_code": new.code, "when": "now" if up else "at_period_end"},
            )
            if up and current.provider_ref is None:
                await grant_period(
                    connection, tenant_id, new, start=now.period_start, end=now.period_end
                )
        return "now" if up else "at_period_end"

    async def _change_at_stripe(self, current: Subscription, new: plans.Plan, *, up: bool) -> None:
        ref = current.provider_ref or ""
        found = await self._stripe.subscription(ref)
        item = found["items"]["data"][0]["id"]
        product = await self._product(new)
        await self._stripe.update_subscription(
            ref,
            {
                "items": [{"id": item, "price_data": {**_price(new), "product": product}}],
                "metadata": {"tenant_id": str(current.tenant_id), "plan_code": new.code},
                "proration_behavior": "always_invoice" if up else "none",
                "payment_behavior": "error_if_incomplete" if up else "allow_incomplete",
            },
            # A key of this click alone: Stripe repeats what it answered under a key for a day,
            # a declined card too. The same change twice is charged once: nothing is left of it.
            f"plan:{ids.uuid7()}",
        )

    async def _top_up(self, code: str) -> tuple[dict[str, Any], Object]:
        async with self._database.system() as connection:
            found = await plans.package(connection, code)
        if not found.offered:
            raise NotFoundError("There is no top-up package “%(code)s”.", code=code)
        row = {
            "kind": "top_up",
            "package_code": found.code,
            "credits_ucr": found.credits_ucr,
            "valid_days": found.valid_days,
            "price_minor": found.price_minor,
            "currency": found.currency,
        }
        price = {
            "currency": found.currency.lower(),
            "unit_amount": found.price_minor,
            "product_data": {"name": found.name},
        }
        return row, {"price_data": price, "quantity": 1}

    async def _plan(self, tenant_id: UUID, code: str) -> tuple[dict[str, Any], Object]:
        async with self._database.system() as connection:
            found = await plans.plan(connection, code)
            current = await subscriptions.subscription_of(connection, tenant_id)
        if not found.offered:
            raise NotFoundError("There is no plan “%(code)s”.", code=code)
        if found.price_minor == 0:
            raise RefusedError("A plan without a price needs no payment: change to it.")
        if current is not None and current.provider_ref is not None:
            raise ConflictError("A subscription runs already: change its plan instead.")
        row = {
            "kind": "subscription",
            "plan_code": found.code,
            "credits_ucr": 0,
            "price_minor": found.price_minor,
            "currency": found.currency,
        }
        price = {**_price(found), "product": await self._product(found)}
        return row, {"price_data": price, "quantity": 1}

    async def _product(self, plan: plans.Plan) -> str:
        product = {"id": f"parley_plan_{plan.code}", "name": plan.name}
        return str((await self._stripe.create_product(product, f"product:{plan.code}"))["id"])

    async def _customer(self, tenant_id: UUID) -> str:
        """Stripe's customer of a tenant, made at the first need."""
        async with self._database.system() as connection:
            row = (await connection.execute(_PROFILE, {"tenant_id": tenant_id})).one_or_none()
        if row is None:
            raise NotFoundError("There is no such business.")
        if row.customer_ref:
            return str(row.customer_ref)
        params = {
            "name": row.legal_name or row.name,
            "metadata": {"tenant_id": str(tenant_id)},
            **({"email": row.billing_email} if row.billing_email else {}),
        }
        # Not the tenant's id as key: name or address may have changed since a first try.
        made = await self._stripe.create_customer(params, f"customer:{ids.uuid7()}")
        async with self._database.system() as connection:
            values = {"tenant_id": tenant_id, "ref": made["id"]}
            return str(await connection.scalar(_KEEP_CUSTOMER, values))

    def _check_address(self, url: str) -> None:
        if not url.startswith(f"{self._app_url}/"):
            raise RefusedError("Stripe may lead back to addresses of APP_URL only.")


def _check_change(current: Subscription, old: plans.Plan, new: plans.Plan, actor: Actor) -> None:
    if new.code in {old.code, current.next_plan_code}:
        raise ConflictError("The plan is “%(code)s” already, or will be.", code=new.code)
    if actor.kind in {"user", "api_key"}:
        if not new.offered:
            raise NotFoundError("There is no plan “%(code)s”.", code=new.code)
        if new.price_minor > 0 and current.provider_ref is None:
            raise RefusedError("This plan has a price: begin with a checkout.")
    if current.provider_ref is not None and new.price_minor == 0:
        raise RefusedError("Cancel the subscription under Cards and invoices instead.")
    if current.provider_ref is not None and new.currency != old.currency:
        raise RefusedError("A subscription keeps its currency: cancel it and begin a new one.")


def _price(plan: plans.Plan) -> Object:
    return {
        "currency": plan.currency.lower(),
        "unit_amount": plan.price_minor,
        "recurring": {"interval": "month"},
    }


def _session_params(
    customer: str, line: Object, metadata: dict[str, str], row: dict[str, Any], *, taxes: bool
) -> Object:
    params: Object = {
        "customer": customer,
        "client_reference_id": metadata["payment_id"],
        "line_items": [line],
        "metadata": metadata,
        "billing_address_collection": "required",
        "tax_id_collection": {"enabled": True},
        "customer_update": {"name": "auto", "address": "auto"},
        "automatic_tax": {"enabled": taxes},
    }
    if row["kind"] == "subscription":
        tagged = {**metadata, "plan_code": row["plan_code"]}
        return {**params, "mode": "subscription", "subscription_data": {"metadata": tagged}}
    return {
        **params,
        "mode": "payment",
        "invoice_creation": {"enabled": True},
        "payment_intent_data": {"metadata": metadata},
    }
