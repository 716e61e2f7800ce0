"""The errors of the product: typed, coded, and each with the HTTP status it would answer.

```
ParleyError
├── ConfigurationError        a setting is missing, malformed or too weak
├── PrivilegedRoleError       a server process was given a database role that bypasses isolation
├── NotFoundError             missing, or someone else's: the same answer
├── ConflictError             the same id with other parameters
├── RefusedError              the caller's fault: bad input
├── NotSignedInError          nobody is signed in, or the key is not valid
├── ForbiddenError            signed in, but the role or scope does not allow it
├── TooManyAttemptsError      a limit refuses; come back later
├── FaultInjectedError        a fault plan asked for it (never in production)
└── ExpectedError             part of normal life: retried, not reported to Sentry
    ├── UnavailableError      something we need did not answer
    └── ProviderError         WAHA or the model answered with a failure
```
"""

from collections.abc import Callable
from typing import ClassVar


class ParleyError(Exception):
    """Base of every error the product raises on purpose.

    The message is English, a sentence of the catalogue; what changes from case to case stands
    in ``%(name)s`` places and comes beside it, so that a page can say it in another language.

    Attributes:
        message: the sentence with its places.
        values: what fills them; a ``Word`` is translated, too.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "", /, **values: object) -> None:
        self.message = message
        self.values = values
        super().__init__(message % values if values else message)

    def told(self, translate: Callable[[str], str]) -> str:
        """Return the sentence in the language of a translation."""
        if not self.message:
            return ""
        said = translate(self.message)
        if not self.values:
            return said
        return said % {
            name: translate(value) if isinstance(value, Word) else value
            for name, value in self.values.items()
        }


class Word(str):
    """A word of the catalogue that fills a place in an error's sentence."""

    __slots__ = ()


class ConfigurationError(ParleyError):
    """One or more settings cannot be used.

    Attributes:
        problems: one sentence a variable, each naming the variable and the remedy.
    """

    code = "configuration"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("Settings cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))


class PrivilegedRoleError(ParleyError):
    """The database role owns tables, is a superuser, or bypasses row level security."""

    code = "privileged_role"


class NotFoundError(ParleyError):
    """The thing does not exist, or belongs to another tenant: one answer for both."""

    code = "not_found"
    status = 404


class ConflictError(ParleyError):
    """The same idempotency key came back with other parameters."""

    code = "conflict"
    status = 409


class RefusedError(ParleyError):
    """The caller's input cannot be accepted; the message says what to change."""

    code = "invalid"
    status = 400


class NotSignedInError(ParleyError):
    """No valid session or key came with the request, or it must prove more first."""

    code = "unauthorized"
    status = 401


class ForbiddenError(ParleyError):
    """The caller is known, but their role or the key's scopes do not allow this."""

    code = "forbidden"
    status = 403


class TooManyAttemptsError(ParleyError):
    """A limit refuses the attempt.

    Attributes:
        retry_after_s: when a caller should come back, in seconds.
    """

    code = "rate_limit"
    status = 429

    def __init__(self, message: str, /, *, retry_after_s: float, **values: object) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, **values)


class FaultInjectedError(ParleyError):
    """A fault plan made this point fail."""

    code = "fault_injected"


class ExpectedError(ParleyError):
    """Part of normal life: handled by a retry, so Sentry does not hear of it."""

    code = "expected"
    status = 503


class UnavailableError(ExpectedError):
    """PostgreSQL, Redis or a provider did not answer in time.

    Attributes:
        retry_after_s: when a caller should come back, in seconds.
    """

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ProviderError(ExpectedError):
    """WAHA or the model answered with a failure.

    Attributes:
        provider: ``waha`` or ``llm``.
        status_code: HTTP status, or None when no answer came.
        ambiguous: True when the effect may have happened all the same.
        retryable: True when a later try may succeed.
    """

    code = "provider"
    status = 502

    def __init__(
        self,
        provider: str,
        message: str,
        *,
        status_code: int | None = None,
        ambiguous: bool = False,
        retryable: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        self.provider = provider
        self.status_code = status_code
        self.ambiguous = ambiguous
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        super().__init__(message)
