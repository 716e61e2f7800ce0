"""The named limits of the product: one place that says how much of what is allowed.

``turn`` and ``send`` make work wait, the others refuse. ``for_plan`` puts figures of a tenant's
plan, or of a number, in their place.
"""

from dataclasses import replace

from app.core.config import Limits
from app.core.limits.types import Policy

HOOK = Policy("hook", limit=1_200, per_s=60, burst=300)
"""Signed webhooks of one channel: a flood guard, WAHA honours the 429 and retries."""

HOOK_BAD = Policy("hook_bad", limit=60, per_s=60, burst=60)
"""Unsigned or unknown webhook requests of one address; genuine ones never meet it."""

TURN = Policy("turn", limit=60, per_s=60, burst=20)
"""Model turns of one tenant; above it the message is kept and its turn waits."""

SEND = Policy("send", limit=20, per_s=60, burst=5)
"""Messages from one WhatsApp number: WhatsApp bans numbers that write too fast."""

LOGIN_ADDRESS = Policy("login_ip", limit=5, per_s=300, burst=5)
"""Sign-in attempts of one address; decide it with ``Fallback.CLOSED_QUARTER``."""

LOGIN_ACCOUNT = Policy("login_account", limit=10, per_s=900, burst=10)
"""Sign-in attempts on one account; decide it with ``Fallback.CLOSED_QUARTER``."""

SIGN_UP = Policy("sign_up_ip", limit=10, per_s=3_600, burst=10)
"""New accounts of one address; decide it with ``Fallback.CLOSED_QUARTER``."""

MAIL_LINK = Policy("mail_link", limit=5, per_s=3_600, burst=3)
"""Links mailed to one account (reset, verification); decide it with ``Fallback.CLOSED_QUARTER``."""

MAIL_LINK_ADDRESS = Policy("mail_link_ip", limit=20, per_s=3_600, burst=10)
"""Links asked for by one address; decide it with ``Fallback.CLOSED_QUARTER``."""

SECOND_FACTOR = Policy("second_factor", limit=5, per_s=300, burst=5)
"""Codes tried for one account; decide it with ``Fallback.CLOSED_QUARTER``."""

PHONE_CODE = Policy("phone_code", limit=3, per_s=900, burst=3)
"""One-time codes sent to one phone; decide it with ``Fallback.CLOSED_QUARTER``."""

PHONE_CODE_TENANT = Policy("phone_code_tenant", limit=60, per_s=3_600, burst=20)
"""One-time codes sent by one tenant; decide it with ``Fallback.CLOSED_QUARTER``."""

PROOF = Policy("proof", limit=6, per_s=3_600, burst=3)
"""Proofs of its credits that a tenant asks for; each reads its whole journal."""

TRIAL = Policy("trial", limit=30, per_s=60, burst=15)
"""Trials of one person that reach for a model or for a server that they name."""

CRAWL = Policy("crawl", limit=60, per_s=3_600, burst=20)
"""Sites that a tenant has read, for the first time or again; each is up to hundreds of pages."""

API_KEY = Policy("api_key", limit=600, per_s=60, burst=60)
"""REST calls with one key."""

EDGE = Policy("edge_ip", limit=600, per_s=60, burst=300)
"""Requests of one address to pages and the API; probes and webhooks never meet it."""

ALL = (
    HOOK,
    HOOK_BAD,
    TURN,
    SEND,
    LOGIN_ADDRESS,
    LOGIN_ACCOUNT,
    SIGN_UP,
    MAIL_LINK,
    MAIL_LINK_ADDRESS,
    SECOND_FACTOR,
    PHONE_CODE,
    PHONE_CODE_TENANT,
    PROOF,
    TRIAL,
    CRAWL,
    API_KEY,
    EDGE,
)


def hook(limits: Limits) -> Policy:
    """Return ``HOOK`` with the operator's figures (``PARLEY_HOOK_PER_MIN``, ``…_BURST``)."""
    return replace(HOOK, limit=limits.hook_per_min, burst=limits.hook_burst)


def hook_bad(limits: Limits) -> Policy:
    """Return ``HOOK_BAD`` with the operator's figures."""
    return replace(HOOK_BAD, limit=limits.hook_bad_per_min, burst=limits.hook_bad_burst)


def edge(limits: Limits) -> Policy:
    """Return ``EDGE`` with the operator's figures (``PARLEY_EDGE_PER_MIN``, ``…_BURST``)."""
    return replace(EDGE, limit=limits.edge_per_min, burst=limits.edge_burst)


def for_plan(policy: Policy, *, limit: int, burst: int | None = None) -> Policy:
    """Return the policy with other figures, the same name and period."""
    return replace(policy, limit=limit, burst=burst if burst is not None else policy.burst)
