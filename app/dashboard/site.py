"""The pages' application: their handlers and what stands in front of every one of them."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar

from app.core.config import Settings
from app.dashboard import static_files
from app.dashboard.desk import Desk
from app.dashboard.failures import Failures
from app.dashboard.pages import (
    account,
    activity,
    api_keys,
    assistant,
    assistant_tools,
    auth,
    auto_top_up,
    billing,
    books,
    business,
    business_data,
    businesses,
    contact_imports,
    contacts,
    home,
    hours,
    inbox,
    inbox_acts,
    knowledge,
    knowledge_answers,
    media,
    notices,
    numbers,
    passkeys,
    paying,
    phone,
    playground,
    posters,
    public,
    team,
)
from app.dashboard.pages.admin.routes import MODULES as ADMIN
from app.dashboard.services import Services
from app.http import headers
from app.http.csrf import csrf
from app.http.edge import Tools as EdgeTools
from app.http.edge import edge
from app.http.requests import request_context
from app.http.sessions import sessions
from tenants import login_sessions

FORM_BYTES_MAX = 64 * 1024
_PAGES = (
    public,
    auth,
    passkeys,
    home,
    businesses,
    inbox,
    inbox_acts,
    numbers,
    posters,
    media,
    account,
    team,
    business,
    activity,
    billing,
    paying,
    auto_top_up,
    books,
    api_keys,
    business_data,
    notices,
    phone,
    contact_imports,
    contacts,
    knowledge,
    knowledge_answers,
    *ADMIN,
    hours,
    assistant,
    assistant_tools,
    playground,
)


def build_site(
    settings: Settings,
    services: Callable[[], Awaitable[Services]],
    edge_tools: Callable[[], Awaitable[EdgeTools]],
) -> Litestar:
    """Build the pages' application; ConfigurationError when the assets are not built."""
    static_files.require_built()
    desk = Desk(settings, services)

    async def find(token: str, scope: Any) -> Any:
        database = (await services()).database
        address = desk.device(_request(scope)).address
        async with database.system_statement() as connection:
            return await login_sessions.find(connection, token, address)

    return Litestar(
        route_handlers=[handler for module in _PAGES for handler in module.routes(desk)],
        middleware=[
            request_context(settings.trusted_proxies),
            edge(settings, edge_tools),
            sessions(desk.cookies, find),
            csrf(cookies=desk.cookies, app_url=settings.app_url, keys=settings.secret_keys),
        ],
        before_send=[_page_headers(settings)],
        exception_handlers=Failures(desk).handlers(),
        request_max_body_size=FORM_BYTES_MAX,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _page_headers(settings: Settings) -> Callable[[Any, Any], Awaitable[None]]:
    add = headers.before_send(settings.app_url)
    # Browsers follow a form's redirect only where the page's policy lets it lead.
    add_to_till = headers.before_send(settings.app_url, form_actions=payment_origins(settings))

    async def add_to_page(message: Any, scope: Any) -> None:
        headers.mark_page(scope)
        till = str(scope.get("path", "")).startswith(paying.HERE)
        await (add_to_till if till else add)(message, scope)

    return add_to_page


def payment_origins(settings: Settings) -> tuple[str, ...]:
    """Return where the forms of the credits lead: Stripe's pages, or those of its stand-in."""
    if urlsplit(settings.stripe_api_url).hostname == "api.stripe.com":
        return ("https://checkout.stripe.com", "https://billing.stripe.com")
    return (headers.origin_of(settings.stripe_api_url),)


def _request(scope: Any) -> Any:
    from litestar import Request

    return Request(scope)
