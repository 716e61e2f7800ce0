"""Throttles of everything that can be guessed or flooded: sign-in, sign-up, links, codes.

While the shared limiter is away these are decided locally at a quarter of the limit: doubt
closes the door rather than opens it. Addresses and e-mails become keyed hashes.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from app.core.errors import TooManyAttemptsError
from app.core.limits import policies
from app.core.limits.subjects import hash_address, hash_subject
from app.core.limits.types import Check, Fallback, Limiter

log = logging.getLogger(__name__)

_WAIT_S_MAX = 3_600.0


class Throttles:
    """Asks the limiter for each kind of attempt; a refusal is TooManyAttemptsError."""

    def __init__(self, limiter: Limiter, secret_key: str) -> None:
        self._limiter = limiter
        self._key = secret_key

    async def sign_in(self, email: str, address: str) -> None:
        """5 in 5 min of an address, 10 in 15 min on an account, whether it exists or not."""
        await self._take(self._sign_in(email, address))

    async def give_back_sign_in(self, email: str, address: str) -> None:
        """A success was no guess: an office behind one address may start its day."""
        checks = self._sign_in(email, address)
        refunds = [Check(c.policy, c.key, cost=-1) for c in checks]
        await self._limiter.decide(refunds, fallback=Fallback.CLOSED_QUARTER)

    async def sign_up(self, address: str) -> None:
        """10 an hour of an address."""
        await self._take([Check(policies.SIGN_UP, hash_address(self._key, address))])

    async def mail_link(self, email: str, address: str) -> None:
        """3 at once and 5 an hour to a mailbox, 20 an hour of an address."""
        await self._take(
            [
                Check(policies.MAIL_LINK, hash_subject(self._key, "mail", email)),
                Check(policies.MAIL_LINK_ADDRESS, hash_address(self._key, address)),
            ]
        )

    async def second_factor(self, user_id: str) -> None:
        """5 codes in 5 min of an account."""
        await self._take([Check(policies.SECOND_FACTOR, user_id)])

    async def proof(self, tenant_id: str) -> None:
        """3 at once and 6 an hour of a tenant: each proof reads its whole journal."""
        await self._take([Check(policies.PROOF, tenant_id)])

    async def trial(self, user_id: UUID) -> None:
        """15 at once and 30 a minute of a person: a search, a tool's try, a look at a server."""
        await self._take([Check(policies.TRIAL, str(user_id))])

    async def crawl(self, tenant_id: UUID) -> None:
        """20 at once and 60 an hour of a tenant: each is a walk over somebody's site."""
        await self._take([Check(policies.CRAWL, str(tenant_id))])

    async def phone_code(self, tenant_id: str, phone: str) -> None:
        """3 in 15 min to a phone, 60 an hour of a tenant."""
        await self._take(
            [
                Check(policies.PHONE_CODE, hash_subject(self._key, "phone", phone)),
                Check(policies.PHONE_CODE_TENANT, tenant_id),
            ]
        )

    def account_subject(self, email: str) -> str:
        """Return the keyed hash that stands for an e-mail in logs of attempts."""
        return hash_subject(self._key, "account", email)

    def _sign_in(self, email: str, address: str) -> list[Check]:
        return [
            Check(policies.LOGIN_ADDRESS, hash_address(self._key, address)),
            Check(policies.LOGIN_ACCOUNT, self.account_subject(email)),
        ]

    async def _take(self, checks: Sequence[Check]) -> None:
        verdict = await self._limiter.decide(checks, fallback=Fallback.CLOSED_QUARTER)
        if verdict.allowed:
            return
        log.warning(
            "attempt refused",
            extra={"security": "throttle", "action": "rate_limit", "policy": verdict.policy},
        )
        wait_s = min(_WAIT_S_MAX, max(1.0, verdict.retry_after_s))
        minutes = max(1, round(wait_s / 60))
        if minutes == 1:
            raise TooManyAttemptsError(
                "Too many attempts. Wait a minute, then try again.", retry_after_s=wait_s
            )
        raise TooManyAttemptsError(
            "Too many attempts. Wait %(minutes)s minutes, then try again.",
            minutes=minutes,
            retry_after_s=wait_s,
        )
