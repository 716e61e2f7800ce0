"""Refused forms: the page again with what was wrong, beside the field where that is known."""

from typing import Any

from litestar import Response

from app.core.errors import (
    ConflictError,
    ForbiddenError,
    NotSignedInError,
    ParleyError,
    RefusedError,
    TooManyAttemptsError,
)
from app.dashboard.render import page
from app.dashboard.visit import Visit
from tenants.login_sessions import FactorNeededError, StepUpNeededError

Refusals = (RefusedError, ConflictError, NotSignedInError, TooManyAttemptsError, ForbiddenError)
"""What a form may be refused with."""

# The word in an error's sentence that names the field it is about; the first that fits wins.
_FIELDS = (
    ("short name", "slug"),
    ("password", "password"),
    ("e-mail", "email"),
    ("time zone", "time_zone"),
    ("language", "locale"),
    ("country", "country"),
    ("days", "retention_days"),
    ("code", "code"),
    ("terms", "terms"),
    ("name", "name"),
)


def refused(
    visit: Visit, template: str, error: ParleyError, *, fields: tuple[str, ...], **view: Any
) -> Response[Any]:
    """Show a form again with its error; a missing fresh proof is not the form's business.

    Args:
        visit: the request.
        template: the form's page; it gets ``errors`` (field or ``form`` → sentence).
        error: why the form was refused.
        fields: the fields that the form has.
        view: what else the template needs.
    """
    if isinstance(error, StepUpNeededError | FactorNeededError):
        raise error
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    errors = {field_at_fault(error, fields): error.told(visit._)}
    return page(visit, template, status=error.status, headers=headers, errors=errors, **view)


def field_at_fault(error: ParleyError, fields: tuple[str, ...]) -> str:
    """Return the field that an error is about; ``form`` when it is about the whole."""
    if not isinstance(error, RefusedError | ConflictError):
        return "form"
    sentence = str(error).lower()
    return next((name for word, name in _FIELDS if name in fields and word in sentence), "form")
