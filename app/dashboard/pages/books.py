"""A business's books: the ledger line by line, statements and receipts, and the proof."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from app.core.errors import NotFoundError, RefusedError
from app.dashboard.desk import AnyRequest, Desk
from app.dashboard.periods import period_of
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from app.dashboard.services import Services
from app.dashboard.visit import Visit
from app.messaging.charges import PROOF
from billing import account, entries, proofs, statements
from billing.payments import profiles, receipts
from billing.statement_formats import as_csv, as_json
from billing.verify import verify_tenant
from tenants.access import Permission

ROWS = 50
NIGHTS = 30
_FORMATS = {"csv": ("text/csv; charset=utf-8", as_csv), "json": ("application/json", as_json)}
_SEQ_DIGITS_MAX = 18


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_ledger(desk), *_statements(desk), *_proof(desk)]


def wanted_of(query: dict[str, str], visit: Visit) -> entries.Wanted:
    """Read a search of the ledger; RefusedError says what cannot be."""
    since, until = period_of(query, visit)
    kind = query.get("kind", "")
    if kind not in entries.KINDS:
        raise RefusedError("Choose one of the kinds that are offered.")
    return entries.Wanted(kind=kind, since=since, until=until)


def before_of(query: dict[str, str]) -> int | None:
    """Read where a page of the ledger begins."""
    raw = query.get("before", "")
    if not raw:
        return None
    if not (raw.isascii() and raw.isdigit() and len(raw) <= _SEQ_DIGITS_MAX):
        raise RefusedError("This link is not complete. Begin the search again.")
    return int(raw)


def query_of(request: AnyRequest) -> dict[str, str]:
    """Return the query's fields as text."""
    return {name: str(value) for name, value in request.query_params.items()}


def _ledger(desk: Desk) -> list[Any]:
    @get("/billing/ledger")
    async def show(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        visit, services, query = desk.visit(request), await desk.services(), query_of(request)
        wanted = wanted_of(query, visit)
        async with services.database.tenant(tenant_id) as connection:
            found = await entries.of_tenant(
                connection, tenant_id, wanted, before=before_of(query), rows_max=ROWS + 1
            )
        more = found[ROWS - 1].seq if len(found) > ROWS else None
        view: dict[str, Any] = {"entries": found[:ROWS], "more": more, "query": query}
        return partial(visit, "billing/ledger.html", "results", kinds=entries.KINDS, **view)

    return [show]


def _statements(desk: Desk) -> list[Any]:
    @get("/billing/statements")
    async def show(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            view: dict[str, Any] = {
                "months": await account.months(connection, tenant_id),
                "payments": await receipts.payments_of(connection, tenant_id, rows_max=ROWS),
            }
        return page(desk.visit(request), "billing/statements.html", **view)

    async def printed(request: AnyRequest, tenant_id: UUID, month: str) -> Response[Any]:
        """A month on paper."""
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            about = await statements.terms(connection, tenant_id, month)
            found = await statements.rows(connection, about)
            view: dict[str, Any] = {
                "about": about,
                "rows": found[: statements.ROWS_MAX],
                "cut": len(found) > statements.ROWS_MAX,
                "profile": await profiles.profile_of(connection, tenant_id),
            }
        return page(desk.visit(request), "billing/statement.html", **view)

    @get("/billing/statements/{month:str}")
    async def download(request: AnyRequest, month: FromPath[str]) -> Response[Any] | Stream:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        month, _, form = month.partition(".")
        if not form:
            return await printed(request, tenant_id, month)
        if form not in _FORMATS:
            raise NotFoundError("Statements come as CSV and as JSON.")
        services = await desk.services()
        async with services.database.tenant(tenant_id) as connection:
            await statements.terms(connection, tenant_id, month)
        media_type, _ = _FORMATS[form]
        return Stream(
            _statement(services, tenant_id, month, form),
            media_type=media_type,
            headers={
                "Content-Disposition": f'attachment; filename="parley-{month}.{form}"',
                "Cache-Control": "no-store",
            },
        )

    return [show, download]


async def _statement(
    services: Services, tenant_id: UUID, month: str, form: str
) -> AsyncIterator[str]:
    _, write = _FORMATS[form]
    async with services.database.tenant(tenant_id) as connection:
        about = await statements.terms(connection, tenant_id, month)
        async for text in write(about, statements.lines(connection, about)):
            yield text


def _proof(desk: Desk) -> list[Any]:
    async def nights_of(tenant_id: UUID) -> list[proofs.ProofRecord]:
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            return await proofs.of_tenant(connection, tenant_id, rows_max=NIGHTS)

    @get("/billing/proof")
    async def show(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        view: dict[str, Any] = {"nights": await nights_of(tenant_id), "now": None}
        return page(desk.visit(request), "billing/proof.html", errors={}, **view)

    @post("/billing/proof")
    async def verify(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        services, visit = await desk.services(), desk.visit(request)
        try:
            await services.accounts.throttles.proof(str(tenant_id))
        except Refusals as error:
            view: dict[str, Any] = {"nights": await nights_of(tenant_id), "now": None}
            return refused(visit, "billing/proof.html", error, fields=(), **view)
        async with services.database.tenant(tenant_id) as connection:
            proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
        async with services.database.system() as connection:
            await proofs.keep(connection, proof)
        view = {"nights": await nights_of(tenant_id), "now": proof}
        return page(visit, "billing/proof.html", errors={}, **view)

    @get("/billing/proof.json")
    async def download(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        told = [
            {
                "night": proof.night.isoformat(),
                "ran_at": proof.ran_at.isoformat(),
                "outcome": proof.outcome,
                "figures": proof.figures,
                "findings": proof.findings,
            }
            for proof in await nights_of(tenant_id)
        ]
        return Response(
            {"tenant_id": str(tenant_id), "proofs": told},
            media_type="application/json",
            headers={
                "Content-Disposition": 'attachment; filename="parley-proof.json"',
                "Cache-Control": "no-store",
            },
        )

    return [show, verify, download]
