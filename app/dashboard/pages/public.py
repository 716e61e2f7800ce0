"""Pages for strangers: what Parley is, terms, privacy; the choice of language and look; files."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import text

from app.core import locales
from app.dashboard import static_files
from app.dashboard.desk import AnyRequest, Desk, form_of, go, own_path
from app.dashboard.render import page
from app.dashboard.visit import THEME_COOKIE, THEMES
from billing import plans, price_list
from tenants import users

YEAR_S = 365 * 24 * 3600
TERMS_VERSION = "2026-11-23"
_PLANS = text(
    """
    select name, monthly_credits_ucr, price_minor, currency, max_inflight
    from plans where offered and price_minor >= 0 order by price_minor, code limit 4
    """
)


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get("/", name="product")
    async def product(request: AnyRequest) -> Response[bytes]:
        visit = desk.visit(request)
        async with (await desk.services()).database.system_statement() as connection:
            found = (await connection.execute(_PLANS)).all()
            view: dict[str, Any] = {
                "plans": found,
                "has_prices": bool(found),
                "packages": await plans.packages(connection),
                "prices": await price_list.current(connection),
            }
        return page(visit, "public/product.html", **view)

    @get("/terms")
    async def terms(request: AnyRequest) -> Response[bytes]:
        return page(desk.visit(request), "public/terms.html", version=TERMS_VERSION)

    @get("/privacy")
    async def privacy(request: AnyRequest) -> Response[bytes]:
        return page(desk.visit(request), "public/privacy.html", version=TERMS_VERSION)

    @get("/static/{name:str}")
    async def static(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        asset = static_files.read(name, request.headers.get("accept-encoding", ""))
        headers = {"Cache-Control": asset.caching, "Vary": "Accept-Encoding"}
        if asset.encoding:
            headers["Content-Encoding"] = asset.encoding
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    @get("/robots.txt")
    async def robots() -> Response[bytes]:
        return Response(static_files.read("robots.txt", "").content, media_type="text/plain")

    return [product, terms, privacy, static, robots, *_preferences(desk)]


def _preferences(desk: Desk) -> list[Any]:
    @post("/preferences")
    async def preferences(request: AnyRequest) -> Response[Any]:
        form, whoever = await form_of(request), desk.visit(request).person
        answer = go(own_path(form.get("next"), "/"))
        language = form.get("language")
        if whoever is not None and language in locales.NAMES:
            # What somebody chose goes with them to every device, and into their letters.
            async with (await desk.services()).database.system() as connection:
                await users.set_locale(connection, whoever.user_id, language)
        chosen = (
            (locales.COOKIE, language, tuple(locales.NAMES)),
            (THEME_COOKIE, form.get("theme"), THEMES),
        )
        for name, value, allowed in chosen:
            if value in allowed:
                answer.set_cookie(
                    key=name,
                    value=value,
                    max_age=YEAR_S,
                    httponly=True,
                    samesite="lax",
                    secure=desk.cookies.secure,
                )
        return answer

    return [preferences]
