"""The control over the mailbox: what was sent, and what becomes of it."""

from typing import Literal

import msgspec

from simulator.control import inputs
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.resend import Resend

Fate = Literal["delivered", "bounced", "complained"]


class MailEndpointInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/emails/endpoint`: where events are sent, and the secret that signs them."""

    url: str | None = None
    secret: str | None = None


class FateInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/emails/addresses`: what becomes of every mail to an address from now on."""

    address: str
    fate: Fate


class MailEventInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/emails/events`: something happens to a mail, the newest unless named."""

    type: Fate
    id: str | None = None
    bounce: Literal["Permanent", "Transient", "Undetermined"] = "Permanent"


class MailControl:
    """The routes over the simulated Resend."""

    def __init__(self, resend: Resend) -> None:
        self._resend = resend

    def register(self, router: Router) -> None:
        """Add the routes of this control."""
        router.add("GET", "/_sim/emails", self.emails)
        router.add("DELETE", "/_sim/emails", self.forget)
        router.add("POST", "/_sim/emails/endpoint", self.endpoint)
        router.add("POST", "/_sim/emails/addresses", self.choose)
        router.add("GET", "/_sim/emails/events", self.events)
        router.add("POST", "/_sim/emails/events", self.happen)

    async def emails(self, _: Request) -> Response:
        """E-mails that were sent."""
        return json_response({"emails": self._resend.emails()})

    async def forget(self, _: Request) -> Response:
        """Empty the mailbox; addresses behave again."""
        return json_response({"forgotten": self._resend.forget()})

    async def endpoint(self, request: Request) -> Response:
        """Choose where events are sent, and with which secret they are signed."""
        given = inputs.read(request, MailEndpointInput)
        self._resend.events.url, self._resend.events.secret = given.url, given.secret or ""
        return json_response({"url": given.url})

    async def choose(self, request: Request) -> Response:
        """Give an address a fate."""
        given = inputs.read(request, FateInput)
        self._resend.events.choose(given.address, given.fate)
        return json_response({"address": given.address, "fate": given.fate})

    async def events(self, _: Request) -> Response:
        """Events with their deliveries, oldest first."""
        return json_response({"events": self._resend.events.views()})

    async def happen(self, request: Request) -> Response:
        """Let something happen to a mail; 202 with the event that tells of it."""
        given = inputs.read(request, MailEventInput)
        mails = self._resend.emails()
        mail = self._resend.find(given.id) if given.id else (mails[-1] if mails else None)
        if mail is None:
            raise HttpError(404, {"error": "there is no such e-mail"})
        event = self._resend.events.emit(given.type, mail, bounce=given.bounce)
        return json_response(event, status=202)
