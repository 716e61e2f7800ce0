"""The team: members and their roles, invitations, handing over; and accepting an invitation."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from tenants.access import Permission, Role, may, may_grant

HERE = "/settings/team"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_team(desk), *_members(desk), *_invitations(desk)]


async def _view(desk: Desk, request: AnyRequest) -> dict[str, Any]:
    someone, services = desk.someone(request), await desk.services()
    role = someone.role
    members = await services.team.members(someone)
    invitations = await services.invitations.open(someone)
    addresses = [member.email for member in members] + [i.email for i in invitations]
    return {
        "members": members,
        "invitations": invitations,
        "undeliverable": await services.accounts.undeliverable(addresses),
        "factor_since": await services.factor_rule.since(someone),
        "grantable": [r for r in Role if role is not None and may_grant(role, r)],
        "edits": role is not None and may(role, Permission.EDIT_TEAM),
        "hands_over": role is not None and may(role, Permission.TRANSFER_OWNERSHIP),
    }


def _team(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        view = await _view(desk, request)
        return page(desk.visit(request), "settings/team.html", errors={}, email="", **view)

    @post("/settings/team/invitations")
    async def invite(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        email = form.get("email", "")
        try:
            role = _role(form)
            invitations = (await desk.services()).invitations
            await invitations.invite(someone, email, role, desk.device(request))
        except Refusals as error:
            visit, view = desk.visit(request), await _view(desk, request)
            fields = ("email",)
            return refused(visit, "settings/team.html", error, fields=fields, email=email, **view)
        return desk.leave_word(go(HERE), "invited")

    @post("/settings/team/invitations/{invitation_id:uuid}/revoke")
    async def revoke(request: AnyRequest, invitation_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        invitations = (await desk.services()).invitations
        await invitations.revoke(someone, invitation_id, desk.device(request))
        return desk.leave_word(go(HERE), "invitation-revoked")

    @post("/settings/team/second-factor")
    async def change_rule(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        rule = (await desk.services()).factor_rule
        try:
            wanted = form.get("wanted") == "yes"
            await rule.change(someone, wanted=wanted, device=desk.device(request))
        except Refusals as error:
            visit, view = desk.visit(request), await _view(desk, request)
            return refused(visit, "settings/team.html", error, fields=(), email="", **view)
        return desk.leave_word(go(HERE), "factor-rule" if wanted else "saved")

    return [show, invite, revoke, change_rule]


def _members(desk: Desk) -> list[Any]:
    @post("/settings/team/{user_id:uuid}/role")
    async def change_role(request: AnyRequest, user_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        team = (await desk.services()).team
        try:
            await team.change_role(someone, user_id, _role(form), desk.device(request))
        except Refusals as error:
            visit, view = desk.visit(request), await _view(desk, request)
            return refused(visit, "settings/team.html", error, fields=(), email="", **view)
        return desk.leave_word(go(HERE), "role-changed")

    @post("/settings/team/{user_id:uuid}/remove")
    async def remove(request: AnyRequest, user_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        try:
            team = (await desk.services()).team
            await team.remove(someone, user_id, desk.device(request))
        except Refusals as error:
            visit, view = desk.visit(request), await _view(desk, request)
            return refused(visit, "settings/team.html", error, fields=(), email="", **view)
        if user_id == someone.user_id:
            return desk.leave_word(go("/home"), "left")
        return desk.leave_word(go(HERE), "member-removed")

    @post("/settings/team/{user_id:uuid}/hand-over")
    async def hand_over(request: AnyRequest, user_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        team = (await desk.services()).team
        await team.transfer_ownership(someone, user_id, desk.device(request))
        return desk.leave_word(go(HERE), "ownership-transferred")

    return [change_role, remove, hand_over]


def _invitations(desk: Desk) -> list[Any]:
    @get("/invitations/{token:str}")
    async def look(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
        seen = await (await desk.services()).invitations.look(token)
        return page(desk.visit(request), "auth/invitation.html", invitation=seen, errors={})

    @post("/invitations/{token:str}")
    async def accept(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        try:
            await services.invitations.accept(someone, token, desk.device(request))
        except Refusals as error:
            seen = await services.invitations.look(token)
            visit = desk.visit(request)
            return refused(visit, "auth/invitation.html", error, fields=(), invitation=seen)
        return desk.leave_word(go("/home"), "joined")

    return [look, accept]


def _role(form: dict[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError:
        raise RefusedError("Choose one of the roles that are offered.") from None
