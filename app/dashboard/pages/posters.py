"""QR posters of a number: made, printed, downloaded, taken off the list."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core.errors import NotFoundError
from app.dashboard import qr
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.render import page
from app.messaging.numbers.campaigns import Campaign
from app.messaging.numbers.reading import Number

_OF = "/numbers/{channel_id:uuid}/posters"
_FILES = {"svg": ("image/svg+xml", qr.svg_file), "pdf": ("application/pdf", qr.pdf_file)}


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_reading(desk), *_changing(desk)]


async def _found(
    desk: Desk, request: AnyRequest, channel_id: UUID, campaign_id: UUID
) -> tuple[Number, Campaign]:
    someone, services = desk.someone(request), await desk.services()
    number = await services.numbers.one(someone, channel_id)
    campaign = await services.campaigns.read(someone, channel_id, campaign_id)
    if number.own_address is None:
        raise NotFoundError("There is no such poster.")
    return number, campaign


def _reading(desk: Desk) -> list[Any]:
    @get(f"{_OF}/{{campaign_id:uuid}}")
    async def show(
        request: AnyRequest, channel_id: FromPath[UUID], campaign_id: FromPath[UUID]
    ) -> Response[Any]:
        number, campaign = await _found(desk, request, channel_id, campaign_id)
        visit = desk.visit(request)
        link = campaign.link(number.own_address or "")
        drawn = qr.inline_svg(link, visit._("Code that opens WhatsApp"))
        view: dict[str, Any] = {"number": number, "campaign": campaign, "link": link}
        return page(visit, "numbers/poster.html", drawn=drawn, **view)

    @get(f"{_OF}/{{campaign_id:uuid}}/{{file_kind:str}}")
    async def download(
        request: AnyRequest,
        channel_id: FromPath[UUID],
        campaign_id: FromPath[UUID],
        file_kind: FromPath[str],
    ) -> Response[Any]:
        number, campaign = await _found(desk, request, channel_id, campaign_id)
        if file_kind not in _FILES:
            raise NotFoundError("There is no such file.")
        media_type, draw = _FILES[file_kind]
        name = f"whatsapp-{campaign.code.lower()}.{file_kind}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        }
        content = draw(campaign.link(number.own_address or ""))
        return Response(content, media_type=media_type, headers=headers)

    return [show, download]


def _changing(desk: Desk) -> list[Any]:
    @post(_OF)
    async def create(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        campaigns = (await desk.services()).campaigns
        campaign_id = await campaigns.create(
            someone,
            channel_id,
            label=form.get("label", ""),
            greeting=form.get("greeting", ""),
            device=desk.device(request),
        )
        return go(f"/numbers/{channel_id}/posters/{campaign_id}")

    @post(f"{_OF}/{{campaign_id:uuid}}/archive")
    async def archive(
        request: AnyRequest, channel_id: FromPath[UUID], campaign_id: FromPath[UUID]
    ) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        await services.campaigns.archive(someone, channel_id, campaign_id, desk.device(request))
        return desk.leave_word(go(f"/numbers/{channel_id}"), "poster-archived")

    return [create, archive]
