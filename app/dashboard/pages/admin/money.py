"""Credits over all businesses: given, taken, approved; holds and proofs; the ledger."""

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from app.core.errors import NotFoundError, RefusedError
from app.core.money import format_credits, parse_credits
from app.core.spreadsheet import Figure, csv_line
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.admin.businesses import LIST, ONE, view_of
from app.dashboard.pages.admin.console import (
    admin_of,
    console_page,
    deciding,
    id_of,
    reason_of,
    refused_there,
)
from app.dashboard.pages.books import before_of, query_of, wanted_of
from app.dashboard.periods import day_of
from app.dashboard.refusals import Refusals
from app.dashboard.services import Services
from app.dashboard.visit import Visit
from app.messaging.platform import businesses
from billing import approvals, entries, margin, platform, proofs
from billing.approvals import Asked
from tenants import platform_audit

HERE = "/admin/credits"
ROWS = 50
NIGHTS = 14
MARGIN_DAYS = (7, 30, 90)
_CSV = (
    *("at", "business", "entry", "kind", "amount", "available_after", "source", "reason"),
    *("author", "price_version", "conversation"),
)


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_credits(desk), *_asking(desk), *_ledger(desk)]


async def _view(desk: Desk, admin_id: UUID) -> dict[str, Any]:
    services = await desk.services()
    async with services.database.system() as connection:
        requests = await approvals.requests(connection, open_only=False, rows_max=ROWS)
        authors = [name for r in requests for name in (r.requested_by, r.decided_by)]
        return {
            "requests": requests,
            "people": await platform_audit.people(connection, authors),
            "names": await businesses.names(connection, {r.tenant_id for r in requests}),
            "holds": await platform.holds_by_age(connection),
            "old_holds": await platform.oldest_holds(connection),
            "nights": await proofs.nights(connection, rows_max=NIGHTS),
            "broken": await proofs.broken(connection, rows_max=NIGHTS),
            "limit_ucr": await approvals.approval_limit_ucr(connection),
            "me": f"admin:{admin_id}",
        }


def _credits(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin = admin_of(desk, request)
        return console_page(desk, request, "admin/credits.html", await _view(desk, admin.user_id))

    @post(f"{HERE}/decide")
    async def decide(request: AnyRequest) -> Response[Any]:
        admin, actor = deciding(desk, request)
        form = await form_of(request)
        try:
            which = id_of(form.get("business")), id_of(form.get("request"))
            async with (await desk.services()).database.system() as connection:
                if form.get("decision") == "approve":
                    await approvals.approve(
                        connection, *which, actor, form.get("reason", "").strip()
                    )
                else:
                    await approvals.reject(connection, *which, actor, reason_of(form))
        except (*Refusals, NotFoundError) as error:
            view = await _view(desk, admin.user_id)
            return refused_there(desk, request, "admin/credits.html", error, view)
        return desk.leave_word(go(HERE), "saved")

    @get("/admin/margin")
    async def margins(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        now, chosen = desk.visit(request).now, request.query_params.get("days", "")
        days = int(chosen) if chosen in {str(d) for d in MARGIN_DAYS} else MARGIN_DAYS[1]
        async with (await desk.services()).database.system() as connection:
            since = now - timedelta(days=days)
            found = await margin.margins(connection, since=since, until=now)
            names = await businesses.names(connection, {m.tenant_id for m in found})
        found.sort(key=lambda m: m.charged_ucr, reverse=True)
        view = {
            "margins": found[: ROWS * 2],
            "names": names,
            "days": days,
            "ranges": MARGIN_DAYS,
            "replies": sum(m.charges for m in found),
            "cost_usd_micro": sum(m.cost_usd_micro for m in found),
            "revenue": margin.revenue(found),
            "charged_ucr": sum(m.charged_ucr for m in found),
        }
        return console_page(desk, request, "admin/margin.html", view)

    return [show, decide, margins]


def _asking(desk: Desk) -> list[Any]:
    @post(f"{ONE}/credits")
    async def ask(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        _, actor = deciding(desk, request)
        form = await form_of(request)
        try:
            asked = _asked(tenant_id, form, desk.visit(request))
            async with (await desk.services()).database.system() as connection:
                await businesses.find(connection, tenant_id)
                made = await approvals.request(connection, asked, actor)
        except Refusals as error:
            view = await view_of(desk, tenant_id)
            return refused_there(desk, request, "admin/business.html", error, view)
        word = "credits-asked" if made.state == "requested" else "credits-moved"
        return desk.leave_word(go(f"{LIST}/{tenant_id}#credits"), word)

    return [ask]


def _asked(tenant_id: UUID, form: dict[str, str], visit: Visit) -> Asked:
    kind = form.get("kind", "")
    day = day_of(form.get("expires"), visit)
    hold = form.get("hold")
    return Asked(
        tenant_id=tenant_id,
        kind=kind,
        amount_ucr=parse_credits(form.get("amount", "")),
        reason=reason_of(form),
        source=form.get("source") or None if kind == "grant" else None,
        hold_id=id_of(hold) if kind == "refund" else None,
        # To the end of the day that was chosen.
        expires_at=datetime.combine(day.date(), time(23, 59, 59), day.tzinfo) if day else None,
    )


def _ledger(desk: Desk) -> list[Any]:
    @get("/admin/ledger")
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        visit, query = desk.visit(request), query_of(request)
        wanted, tenant_id = wanted_of(query, visit), _business(query)
        async with (await desk.services()).database.system() as connection:
            found = await _page(connection, query, wanted, tenant_id)
            ids = {e.tenant_id for e in found} | ({tenant_id} if tenant_id else set())
            names = await businesses.names(connection, ids)
            people = await platform_audit.people(connection, [e.created_by for e in found])
        shown = found[:ROWS]
        view = {
            "entries": shown,
            "more": _cursor(shown[-1]) if len(found) > ROWS else "",
            "query": query,
            "kinds": [k for k in entries.KINDS if tenant_id or k not in entries.OWN_KINDS],
            "names": names,
            "people": people,
            "tenant_id": tenant_id,
        }
        return console_page(desk, request, "admin/ledger.html", view)

    @get("/admin/ledger.csv")
    async def download(request: AnyRequest) -> Stream:
        admin_of(desk, request)
        query = query_of(request)
        wanted, tenant_id = wanted_of(query, desk.visit(request)), _business(query)
        return Stream(
            _as_csv(await desk.services(), wanted, tenant_id),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="parley-ledger.csv"',
                "Cache-Control": "no-store",
            },
        )

    return [show, download]


async def _page(
    connection: Any, query: dict[str, str], wanted: entries.Wanted, tenant_id: UUID | None
) -> list[entries.Entry]:
    place = _place(query)
    if tenant_id is not None:
        before = place[2] if place else None
        return await entries.of_tenant(
            connection, tenant_id, wanted, before=before, rows_max=ROWS + 1
        )
    return await entries.of_all(connection, wanted, before=place, rows_max=ROWS + 1)


def _cursor(entry: entries.Entry) -> str:
    return f"{entry.at.isoformat()}_{entry.tenant_id}_{entry.seq}"


def _place(query: dict[str, str]) -> entries.Place | None:
    raw = query.get("before")
    if not raw:
        return None
    try:
        at, tenant_id, seq = raw.split("_")
        place = datetime.fromisoformat(at), UUID(tenant_id), before_of({"before": seq}) or 0
    except ValueError:
        raise RefusedError("This link is not complete. Begin the search again.") from None
    if place[0].tzinfo is None:
        raise RefusedError("This link is not complete. Begin the search again.")
    return place


def _business(query: dict[str, str]) -> UUID | None:
    return id_of(query["business"]) if query.get("business") else None


async def _as_csv(
    services: Services, wanted: entries.Wanted, tenant_id: UUID | None
) -> AsyncIterator[str]:
    yield csv_line(_CSV)
    async for page in entries.export(services.database, wanted, tenant_id):
        yield "".join(csv_line(_cells(entry)) for entry in page)


def _cells(entry: entries.Entry) -> list[object]:
    return [
        *(entry.at, entry.tenant_id, entry.seq, entry.kind),
        Figure(format_credits(entry.amount_ucr)),
        Figure(format_credits(entry.available_after_ucr)),
        *(entry.source, entry.reason, entry.created_by),
        *(entry.price_version_id, entry.conversation_id),
    ]
