"""The business that `parley up` opens with, as far as the command line needs to know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTenant:
    """Ids, keys and limits of the seeded demo business.

    `waha_number` is the paired number in digits, `sample_questions` what the opening conversation
    asks; durations in seconds, rates per minute. `logins` are address and password by role.
    """

    tenant_id: str
    name: str
    channel_key: str
    waha_session: str
    webhook_secret: str = field(repr=False)
    waha_number: str
    idle_s: float
    cap_s: float
    turn_per_min: int
    turn_burst: int
    hook_per_min: int
    hook_burst: int
    sample_questions: tuple[str, ...] = ("Hi! Are you open on Sunday?",)
    api_key: str | None = field(default=None, repr=False)
    logins: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
