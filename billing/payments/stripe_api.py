"""Stripe through its own library: one client a process, nothing global, retries ours.

The library is imported on first use, off the event loop (it takes a third of a second). What
comes back are plain dictionaries in the shape of the library's pinned API version. Every
writing call carries an idempotency key of ours, so it may be repeated after a lost answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from app.core.config import Settings
from app.core.errors import ConfigurationError, ProviderError

TIMEOUT_S = 20.0
TRIES = 3
_PAUSE_S = 0.3
_DEFINITE = {400, 401, 402, 403, 404}

Object = dict[str, Any]


class StripeApi:
    """The calls we need. Use from one event loop; the session belongs to the caller.

    ``session`` is an ``aiohttp.ClientSession``: the API imports this module at its start, and
    aiohttp only when something is to be paid.
    """

    def __init__(self, settings: Settings, session: Any) -> None:
        self._key = settings.stripe_secret_key
        self._base = settings.stripe_api_url.rstrip("/")
        self._session = session
        self._client: Any = None
        self._connecting = asyncio.Lock()

    @property
    def configured(self) -> bool:
        """True when payments can be made at all."""
        return bool(self._key)

    async def create_customer(self, params: Object, key: str) -> Object:
        """Make a customer."""
        return await self._call(lambda c: c.v1.customers.create_async(params, _options(key)))

    async def create_product(self, params: Object, key: str) -> Object:
        """Make a product under an id of ours; one that exists is left as it is."""
        try:
            return await self._call(lambda c: c.v1.products.create_async(params, _options(key)))
        except ProviderError as error:
            if error.status_code != 400:  # noqa: PLR2004 - "resource_already_exists"
                raise
            return await self._call(lambda c: c.v1.products.retrieve_async(params["id"]))

    async def create_session(self, params: Object, key: str) -> Object:
        """Make a Checkout Session; its ``url`` is where the customer pays."""
        return await self._call(
            lambda c: c.v1.checkout.sessions.create_async(params, _options(key))
        )

    async def create_portal_session(self, params: Object) -> Object:
        """Make a session of the customer portal; its ``url`` is where the customer goes."""
        return await self._call(lambda c: c.v1.billing_portal.sessions.create_async(params))

    async def update_subscription(self, ref: str, params: Object, key: str) -> Object:
        """Change a subscription; ProviderError with status 402 when the charge failed."""
        return await self._call(
            lambda c: c.v1.subscriptions.update_async(ref, params, _options(key))
        )

    async def create_invoice(self, params: Object, key: str) -> Object:
        """Make a draft of an invoice."""
        return await self._call(lambda c: c.v1.invoices.create_async(params, _options(key)))

    async def create_invoice_item(self, params: Object, key: str) -> Object:
        """Put a line on an invoice."""
        return await self._call(lambda c: c.v1.invoice_items.create_async(params, _options(key)))

    async def finalize_invoice(self, ref: str, key: str) -> Object:
        """Make a draft an invoice that can be paid; Stripe does not collect it by itself."""
        params = {"auto_advance": False}
        return await self._call(
            lambda c: c.v1.invoices.finalize_invoice_async(ref, params, _options(key))
        )

    async def pay_invoice(self, ref: str, params: Object, key: str) -> Object:
        """Charge an invoice; ProviderError with status 402 when the card was declined."""
        return await self._call(lambda c: c.v1.invoices.pay_async(ref, params, _options(key)))

    async def void_invoice(self, ref: str, key: str) -> Object:
        """Make an invoice that was not paid one that never will be."""
        return await self._call(lambda c: c.v1.invoices.void_invoice_async(ref, {}, _options(key)))

    async def checkout_session(self, ref: str) -> Object:
        """Read a Checkout Session with its invoice, charge, or the card that it saved."""
        names = ["payment_intent.latest_charge", "invoice", "setup_intent.payment_method"]
        params = {"expand": names}
        return await self._call(lambda c: c.v1.checkout.sessions.retrieve_async(ref, params))

    async def invoice(self, ref: str) -> Object:
        """Read an invoice with its payments."""
        params = {"expand": ["payments"]}
        return await self._call(lambda c: c.v1.invoices.retrieve_async(ref, params))

    async def subscription(self, ref: str) -> Object:
        """Read a subscription."""
        return await self._call(lambda c: c.v1.subscriptions.retrieve_async(ref))

    async def charge(self, ref: str) -> Object:
        """Read a charge."""
        return await self._call(lambda c: c.v1.charges.retrieve_async(ref))

    async def dispute(self, ref: str) -> Object:
        """Read a dispute."""
        return await self._call(lambda c: c.v1.disputes.retrieve_async(ref))

    async def _call(self, act: Callable[[Any], Awaitable[Any]]) -> Object:
        """Call, again after what may pass; the answer as plain data."""
        client = await self._connect()
        for attempt in range(1, TRIES + 1):
            try:
                found: Object = (await act(client)).to_dict()
            except Exception as error:  # noqa: BLE001 - anything else is raised again
                failure = _failure(error)
                if not failure.retryable or attempt == TRIES:
                    raise failure from None
                await asyncio.sleep(_PAUSE_S * attempt)
            else:
                return found
        raise AssertionError("unreachable")

    async def _connect(self) -> Any:
        if not self._key:
            raise ConfigurationError(["STRIPE_SECRET_KEY is missing: nothing can be paid."])
        async with self._connecting:
            if self._client is None:
                self._client = await asyncio.to_thread(self._build)
            return self._client

    def _build(self) -> Any:
        import stripe
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=TIMEOUT_S)
        return stripe.StripeClient(
            self._key,
            base_addresses={"api": self._base},
            max_network_retries=0,
            http_client=stripe.AIOHTTPClient(timeout=timeout, session=self._session),
        )


def _options(key: str) -> Any:
    return {"idempotency_key": key}


def _failure(error: Exception) -> ProviderError:
    """What the library raised, without its text: Stripe quotes parameters in it."""
    import stripe

    if not isinstance(error, stripe.StripeError):
        raise error
    status = error.http_status
    lost = isinstance(error, stripe.APIConnectionError) or status is None
    return ProviderError(
        "stripe",
        "did not answer" if lost else f"answered {status} ({error.code or 'no code'})",
        status_code=status,
        ambiguous=lost,
        retryable=lost or status not in _DEFINITE,
    )


def verify_event(payload: bytes, signature: str, secret: str) -> bool:
    """Tell whether Stripe signed these bytes, and lately (the library's tolerance, 300 s).

    Imports the library on first use: call it off the event loop.
    """
    import stripe

    if not secret:
        return False
    try:
        stripe.WebhookSignature.verify_header(
            payload, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE
        )
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
