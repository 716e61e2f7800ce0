"""Everything the simulator remembers, in one place."""

from simulator.calls import CallLog, Decoder, plain_body
from simulator.clock import ScaledClock, now_ms
from simulator.faults import FaultPlan
from simulator.http import Handler
from simulator.live import LiveUpdates
from simulator.model import minilm
from simulator.model.modes import ModelMode
from simulator.model.service import ModelService
from simulator.resend import Resend
from simulator.resend_events import ResendEvents
from simulator.sentry import Sentry, decode_envelope
from simulator.settings import Settings
from simulator.stripe.forms import parse_form
from simulator.stripe.service import Stripe
from simulator.upstash.service import Upstash
from simulator.waha.routes import register_routes
from simulator.waha.service import Waha

_WARM_AFTER_S = 10.0
# Prefix in the simulator, name in the call list, and whether the prefix is taken off the path.
_PREFIXES = (
    ("/v1", "openai", False),
    ("/resend", "resend", True),
    ("/sentry", "sentry", True),
    ("/stripe", "stripe", True),
    ("/upstash", "upstash", True),
    ("/api", "waha", False),
    ("/ping", "waha", False),
    ("/health", "waha", False),
)


class World:
    """The outside services with the controls over them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started_ms = now_ms()
        self.clock = ScaledClock()
        self.calls = CallLog()
        self.faults = FaultPlan()
        self.live = LiveUpdates()
        self.model_mode = ModelMode()
        self.waha = Waha(settings, self.clock, self.faults, self.live)
        register_routes(self.waha)
        events = ResendEvents(
            settings.resend_webhook_url, settings.resend_webhook_secret, self.clock
        )
        self.resend = Resend(self.live, events)
        self.stripe = Stripe(settings, self.clock, self.faults)
        self.upstash = Upstash(settings.redis_url)
        self.services: dict[str, Handler] = {
            "waha": self.waha.handle,
            "openai": ModelService(self.model_mode).handle,
            "resend": self.resend.handle,
            "sentry": Sentry().handle,
            "stripe": self.stripe.handle,
            "upstash": self.upstash.handle,
        }
        self.decoders: dict[str, Decoder] = {
            "sentry": decode_envelope,
            "stripe": lambda request: parse_form(request.body) if request.body else None,
        }

    def decoder(self, service: str) -> Decoder:
        """How a service's bodies are read for the call list."""
        return self.decoders.get(service, plain_body)

    @staticmethod
    def locate(path: str) -> tuple[str, str] | None:
        """The service that a path belongs to, and the path as that service knows it."""
        for prefix, service, strips in _PREFIXES:
            if path == prefix or path.startswith(f"{prefix}/"):
                return service, (path[len(prefix) :] or "/") if strips else path
        return None

    def start(self) -> None:
        """Begin to live: sessions that ran before run again."""
        self.waha.lifecycle.restore()
        if self.settings.warm:
            minilm.warm_up(_WARM_AFTER_S)

    async def close(self) -> None:
        """End everything that is under way."""
        self.live.close()
        self.waha.lifecycle.close()
        await self.waha.webhooks.close()
        await self.stripe.webhooks.close()
        await self.resend.events.close()
        await self.upstash.close()
