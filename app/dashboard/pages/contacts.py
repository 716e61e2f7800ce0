"""Contacts: the list, one contact with what people know of them, blocking, merging, erasing."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from app.messaging import contact_facts, data_rights
from app.messaging.address_book import card, exporting, listing
from app.messaging.address_book.card import ContactCard, ContactForm
from app.messaging.desk.viewers import viewer
from tenants.access import Permission, may
from tenants.businesses import actor_of
from tenants.login_sessions import SignedIn

HERE = "/contacts"
_CARD = "contacts/contact.html"
_MARKED = {
    ("block", True): "contact-blocked",
    ("block", False): "contact-unblocked",
    ("opt_out", True): "contact-opted-out",
    ("opt_out", False): "contact-opted-in",
}
MERGE_ROWS = 8


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_list(desk), *_card(desk), *_merging(desk), *_rights(desk)]


def rights(person: SignedIn) -> dict[str, bool]:
    """Return what the buttons of these pages ask: who may import, merge, export and erase."""
    role = person.role
    return {
        "may_import": role is not None and may(role, Permission.IMPORT_CONTACTS),
        "may_merge": role is not None and may(role, Permission.MERGE_CONTACTS),
        "may_export": role is not None and may(role, Permission.EXPORT_CONTACTS),
        "may_erase": role is not None and may(role, Permission.ERASE_CONTACTS),
    }


def _list(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        tenant_id = someone.business(Permission.READ_CONTACTS)
        query = {k: str(v) for k, v in request.query_params.items()}
        wanted = listing.Wanted(
            words=query.get("words", ""), tag=query.get("tag", ""), state=query.get("state", "")
        )
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            country = await listing.country_of(connection, tenant_id)
            found = await listing.page(
                connection,
                tenant_id,
                wanted,
                country=country,
                before=_id(query.get("before")),
                rows_max=listing.PAGE_ROWS + 1,
            )
            tags = await listing.tags(connection, tenant_id)
        lines = found[: listing.PAGE_ROWS]
        view: dict[str, Any] = {
            "lines": lines,
            "more": lines[-1].id if len(found) > len(lines) else None,
            "tags": tags,
            "query": query,
            "narrowed": bool(wanted.words or wanted.tag or wanted.state),
            **rights(someone),
        }
        return partial(visit, "contacts/list.html", "results", **view)

    @get("/contacts/export.csv")
    async def export(request: AnyRequest) -> Stream:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.EXPORT_CONTACTS)
        actor = actor_of(someone, desk.device(request))
        database = (await desk.services()).database
        return _download(
            exporting.as_csv(database, tenant_id, actor), "parley-contacts.csv", "text/csv"
        )

    return [show, export]


def _card(desk: Desk) -> list[Any]:
    @get("/contacts/{contact_id:uuid}")
    async def show(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        found = await _read(desk, request, contact_id)
        if found.id != contact_id:
            return go(f"{HERE}/{found.id}")
        view = await _view(desk, request, found)
        return page(desk.visit(request), _CARD, errors={}, **view)

    @post("/contacts/{contact_id:uuid}")
    async def change(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        someone, given = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.EDIT_CONTACTS)
        form = ContactForm(
            name=given.get("name", ""), notes=given.get("notes", ""), tags=given.get("tags", "")
        )
        actor = actor_of(someone, desk.device(request))
        try:
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await card.change(connection, tenant_id, contact_id, form, actor)
        except Refusals as error:
            found = await _read(desk, request, contact_id)
            view = await _view(desk, request, found, form)
            fields = ("name", "notes", "tags")
            return refused(desk.visit(request), _CARD, error, fields=fields, **view)
        return desk.leave_word(go(f"{HERE}/{contact_id}"), "saved")

    @post("/contacts/{contact_id:uuid}/mark")
    async def mark(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.EDIT_CONTACTS)
        what, on = form.get("what", ""), form.get("on") == "yes"
        if (what, on) not in _MARKED:
            raise RefusedError("Choose one of the steps that are offered.")
        actor = actor_of(someone, desk.device(request))
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            await card.mark(connection, tenant_id, contact_id, what, actor, on=on)
        return desk.leave_word(go(f"{HERE}/{contact_id}"), _MARKED[what, on])

    @post("/contacts/{contact_id:uuid}/facts/{fact_id:uuid}/forget")
    async def forget(
        request: AnyRequest, contact_id: FromPath[UUID], fact_id: FromPath[UUID]
    ) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.EDIT_CONTACTS)
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            await contact_facts.forget(connection, tenant_id, contact_id, fact_id)
        return desk.leave_word(go(f"{HERE}/{contact_id}"), "fact-forgotten")

    return [show, change, mark, forget]


def _merging(desk: Desk) -> list[Any]:
    async def candidates(
        request: AnyRequest, found: ContactCard, words: str
    ) -> list[listing.ContactLine]:
        tenant_id = desk.someone(request).business(Permission.EDIT_CONTACTS)
        if not words.strip():
            return []
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            country = await listing.country_of(connection, tenant_id)
            wanted = listing.Wanted(words=words)
            lines = await listing.page(
                connection, tenant_id, wanted, country=country, rows_max=MERGE_ROWS + 1
            )
        return [line for line in lines if line.id != found.id][:MERGE_ROWS]

    async def answer(
        request: AnyRequest, contact_id: UUID, words: str, error: Any = None
    ) -> Response[Any]:
        found, visit = await _read(desk, request, contact_id), desk.visit(request)
        view: dict[str, Any] = {
            "contact": found,
            "words": words,
            "lines": await candidates(request, found, words),
        }
        if error is not None:
            return refused(visit, "contacts/merge.html", error, fields=(), **view)
        return page(visit, "contacts/merge.html", errors={}, **view)

    @get("/contacts/{contact_id:uuid}/merge")
    async def look(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        desk.someone(request).business(Permission.MERGE_CONTACTS)
        return await answer(request, contact_id, str(request.query_params.get("words", "")))

    @post("/contacts/{contact_id:uuid}/merge")
    async def merge(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.MERGE_CONTACTS)
        actor = actor_of(someone, desk.device(request))
        gone = _id(form.get("other"))
        try:
            if gone is None:
                raise RefusedError("Choose the contact to merge with.")
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await card.merge(
                    connection,
                    tenant_id,
                    kept=contact_id,
                    gone=gone,
                    actor=actor,
                    timings=desk.settings.timings,
                )
        except Refusals as error:
            return await answer(request, contact_id, form.get("words", ""), error)
        return desk.leave_word(go(f"{HERE}/{contact_id}"), "contacts-merged")

    return [look, merge]


def _rights(desk: Desk) -> list[Any]:
    async def exported(request: AnyRequest, contact_id: UUID) -> dict[str, Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.EXPORT_CONTACTS)
        actor = actor_of(someone, desk.device(request))
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            return await data_rights.export_contact(connection, tenant_id, contact_id, actor)

    @get("/contacts/{contact_id:uuid}/export.json")
    async def as_json(request: AnyRequest, contact_id: FromPath[UUID]) -> Stream:
        export = await exported(request, contact_id)
        content = msgspec.json.format(msgspec.json.encode(export), indent=2)
        return _download(iter([content]), "parley-contact.json", "application/json")

    @get("/contacts/{contact_id:uuid}/messages.csv")
    async def as_csv(request: AnyRequest, contact_id: FromPath[UUID]) -> Stream:
        export = await exported(request, contact_id)
        content = exporting.messages_as_csv(export)
        return _download(iter([content]), "parley-messages.csv", "text/csv")

    @post("/contacts/{contact_id:uuid}/erase")
    async def erase(request: AnyRequest, contact_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.ERASE_CONTACTS)
        actor = actor_of(someone, desk.device(request))
        try:
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await data_rights.erase_contact(
                    connection,
                    tenant_id,
                    contact_id,
                    actor,
                    secret_key=desk.settings.secret_key,
                )
        except Refusals as error:
            found = await _read(desk, request, contact_id)
            view = await _view(desk, request, found)
            return refused(desk.visit(request), _CARD, error, fields=(), **view)
        return desk.leave_word(go(HERE), "contact-erased")

    return [as_json, as_csv, erase]


async def _read(desk: Desk, request: AnyRequest, contact_id: UUID) -> ContactCard:
    looker = viewer(desk.someone(request), Permission.READ_CONTACTS)
    async with (await desk.services()).database.tenant(looker.tenant_id) as connection:
        return await card.read(connection, looker, contact_id)


async def _view(
    desk: Desk, request: AnyRequest, found: ContactCard, form: ContactForm | None = None
) -> dict[str, Any]:
    """Return what the page of a contact shows; ``form`` is what was typed and refused."""
    someone = desk.someone(request)
    tenant_id = someone.business(Permission.READ_CONTACTS)
    async with (await desk.services()).database.tenant(tenant_id) as connection:
        facts = await contact_facts.facts_of(connection, tenant_id, found.id)
    known = ContactForm(name=found.name or "", notes=found.notes or "", tags=", ".join(found.tags))
    return {
        "contact": found,
        "facts": facts,
        "form": form or known,
        "edits": someone.role is not None and may(someone.role, Permission.EDIT_CONTACTS),
        **rights(someone),
    }


def _download(content: Any, name: str, media_type: str) -> Stream:
    return Stream(
        content,
        media_type=f"{media_type}; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _id(raw: str | None) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        raise RefusedError("This link is not complete. Begin the search again.") from None
