"""What every page of the console asks first: whether an admin asks, and not for a business."""

from typing import Any
from uuid import UUID

from litestar import Response

from app.core.errors import ForbiddenError, RefusedError
from app.dashboard.desk import AnyRequest, Desk
from app.dashboard.refusals import refused
from app.dashboard.render import page
from tenants.login_sessions import SignedIn
from tenants.service import Actor

HERE = "/admin"


def admin_of(desk: Desk, request: AnyRequest) -> SignedIn:
    """Return the admin behind a request; the console does not exist for others.

    Raises:
        NotSignedInError: nobody is signed in, or a second factor is owed.
        NotFoundError: no admin, or one without a second factor.
        ForbiddenError: while acting for a business: what is seen there is that business's.
    """
    someone = desk.someone(request)
    someone.require_admin()
    if someone.impersonating:
        raise ForbiddenError("You act for a business. End that before you open the console.")
    return someone


def deciding(desk: Desk, request: AnyRequest) -> tuple[SignedIn, Actor]:
    """Return the admin of a request that changes something, freshly proved, and as an actor."""
    admin = admin_of(desk, request)
    admin.require_recent()
    device = desk.device(request)
    return admin, Actor("admin", str(admin.user_id), device.address, device.request_id)


def refused_there(
    desk: Desk, request: AnyRequest, template: str, error: Any, view: dict[str, Any]
) -> Response[Any]:
    """Show a page of the console again, with why its form was refused."""
    return refused(desk.visit(request), template, error, fields=(), **view)


def console_page(
    desk: Desk, request: AnyRequest, template: str, view: dict[str, Any]
) -> Response[Any]:
    """Answer with a page of the console."""
    return page(desk.visit(request), template, **{"errors": {}, **view})


def id_of(raw: str | None) -> UUID:
    """Read an id of a form; RefusedError when it is none."""
    try:
        return UUID(raw or "")
    except ValueError:
        raise RefusedError("The form is not complete. Reload the page and try again.") from None


def reason_of(form: dict[str, str]) -> str:
    """Read the reason of a form; RefusedError without one."""
    reason = form.get("reason", "").strip()
    if not reason:
        raise RefusedError("Say why: the reason goes on record.")
    return reason[:500]


def whole_number(form: dict[str, str], name: str) -> int:
    """Read a whole number of a form; RefusedError when it is none."""
    raw = form.get(name, "")
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 9):  # noqa: PLR2004
        raise RefusedError("Give whole numbers without a sign, such as 40.")
    return int(raw)
