"""The pages' application: their handlers and what stands in front of every one of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Litestar

from app.core.config import Settings
from app.core.limits import policies
from app.dashboard import static_files
from app.dashboard.desk import Desk
from app.dashboard.failures import Failures
from app.dashboard.pages import account, activity, auth, business, home, passkeys, public, team
from app.dashboard.services import Services
from app.http import headers
from app.http.csrf import csrf
from app.http.edge import Tools as EdgeTools
from app.http.edge import edge
from app.http.requests import request_context
from app.http.sessions import sessions
from tenants import login_sessions

FORM_BYTES_MAX = 64 * 1024


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

    page_modules = (public, auth, passkeys, home, account, team, business, activity)
    return Litestar(
        route_handlers=[handler for module in page_modules for handler in module.routes(desk)],
        middleware=[
            request_context(settings.trusted_proxies),
            edge(
                tools=edge_tools,
                policy=policies.edge(settings.limits),
                secret_key=settings.secret_key,
                trusted=settings.trusted_proxies,
            ),
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

    async def add_to_page(message: Any, scope: Any) -> None:
        headers.mark_page(scope)
        await add(message, scope)

    return add_to_page


def _request(scope: Any) -> Any:
    from litestar import Request

    return Request(scope)
