"""``/metrics`` for Prometheus and ``/metrics-json`` for everyone else."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from litestar import Request, Response, get
from litestar.exceptions import NotAuthorizedException

from app.core.config import Settings
from app.core.observability.metrics import render


class FiguresView(Protocol):
    """Figures that can show themselves in both forms."""

    def as_json(self) -> dict[str, int | float]:
        """Return the keys of ``/metrics-json``."""
        ...

    def as_gauges(self) -> dict[str, float]:
        """Return Prometheus gauges by name."""
        ...


def metrics_routes(
    settings: Settings, read_figures: Callable[[], Awaitable[FiguresView]]
) -> list[Any]:
    """Return both handlers; in production they ask for ``Bearer METRICS_TOKEN``."""

    def authorize(request: Request[Any, Any, Any]) -> None:
        if not settings.production:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), settings.metrics_token.encode()):
            raise NotAuthorizedException(detail="Send METRICS_TOKEN as a bearer token.")

    @get("/metrics", summary="Prometheus exposition")
    async def prometheus(request: Request[Any, Any, Any]) -> Response[bytes]:
        authorize(request)
        own, content_type = render()
        figures = (await read_figures()).as_gauges()
        lines = "".join(
            f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in sorted(figures.items())
        )
        return Response(own + lines.encode(), headers={"Content-Type": content_type})

    @get("/metrics-json", summary="The message path in seven figures")
    async def figures(request: Request[Any, Any, Any]) -> dict[str, int | float]:
        authorize(request)
        return (await read_figures()).as_json()

    return [prometheus, figures]
