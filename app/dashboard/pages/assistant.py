"""The assistant: its draft, publishing, its versions and what differs between them."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from app.assistant.profiles import LANGUAGES, TONES, Fact, Profile
from app.assistant.versions import Version, changes
from app.core import locales
from app.dashboard.assistant_form import EMPTY_ROWS, profile_of
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit

HERE = "/assistant"
VERSIONS = "/assistant/versions"
TEMPLATE = "assistant/overview.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_draft(desk), *_versions(desk)]


def _draft(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        view = await _editing(desk, request)
        return page(desk.visit(request), TEMPLATE, errors={}, **view)

    @post(HERE)
    async def save(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        versions = (await desk.services()).assistant_versions
        wanted = profile_of(form)
        try:
            await versions.save_draft(someone, wanted)
        except Refusals as error:
            view = await _editing(desk, request, wanted)
            return refused(desk.visit(request), TEMPLATE, error, fields=(), **view)
        after = "/assistant/playground" if form.get("then") == "try" else HERE
        return desk.leave_word(go(after), "draft-saved")

    @post("/assistant/publish")
    async def publish(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        versions = (await desk.services()).assistant_versions
        try:
            await versions.publish(someone, form.get("note", ""), desk.device(request))
        except Refusals as error:
            view = await _editing(desk, request)
            return refused(desk.visit(request), TEMPLATE, error, fields=(), **view)
        return desk.leave_word(go(HERE), "assistant-published")

    @post("/assistant/discard")
    async def discard(request: AnyRequest) -> Response[Any]:
        versions = (await desk.services()).assistant_versions
        await versions.discard_draft(desk.someone(request))
        return desk.leave_word(go(HERE), "draft-discarded")

    return [show, save, publish, discard]


def _versions(desk: Desk) -> list[Any]:
    @get(VERSIONS)
    async def listed(request: AnyRequest) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        view: dict[str, Any] = {
            "versions": await services.assistant_versions.listed(someone),
            "names": await _names(desk, request),
        }
        return page(desk.visit(request), "assistant/versions.html", **view)

    @get("/assistant/versions/{number:int}")
    async def one(request: AnyRequest, number: FromPath[int]) -> Response[Any]:
        someone, versions = desk.someone(request), (await desk.services()).assistant_versions
        version = await versions.numbered(someone, number)
        draft, live = await versions.editing(someone)
        against = live if live is not None and live.number != version.number else None
        view: dict[str, Any] = {
            "version": version,
            "against": against,
            "draft_differs": draft.updated_at is not None,
            "changes": changes(against.profile, version.profile) if against else [],
            "names": await _names(desk, request),
            "field_name": lambda field: field_name(desk.visit(request), field),
            "tones": tones(desk.visit(request)),
        }
        return page(desk.visit(request), "assistant/version.html", errors={}, **view)

    @post("/assistant/versions/{number:int}/restore")
    async def restore(request: AnyRequest, number: FromPath[int]) -> Response[Any]:
        someone, versions = desk.someone(request), (await desk.services()).assistant_versions
        await versions.restore(someone, number, desk.device(request))
        return desk.leave_word(go(VERSIONS), "assistant-restored")

    return [listed, one, restore]


async def _editing(desk: Desk, request: AnyRequest, typed: Profile | None = None) -> dict[str, Any]:
    """Return the view of the draft, or of what somebody typed and was refused."""
    someone, visit = desk.someone(request), desk.visit(request)
    versions = (await desk.services()).assistant_versions
    draft, live = await versions.editing(someone)
    profile = typed or draft.profile
    return {
        "profile": profile,
        "facts": [*profile.facts, *[Fact("", "")] * EMPTY_ROWS],
        "live": live,
        "unpublished": _unpublished(draft, live),
        "saved_draft": draft.updated_at is not None,
        "model_options": [
            (name, name)
            for name in await versions.models(someone)
            if name != desk.settings.openai_model
        ],
        "platform_model": desk.settings.openai_model,
        "tones": tones(visit),
        "languages_offered": _languages(visit),
        "field_name": lambda field: field_name(visit, field),
    }


def _unpublished(draft: Version, live: Version | None) -> list[Any]:
    if draft.updated_at is None:
        return []
    return changes(live.profile if live else Profile(), draft.profile)


def _languages(visit: Visit) -> list[tuple[str, str]]:
    names = locales.locale(visit.language).languages
    return [(code, names.get(code, code).capitalize()) for code in LANGUAGES]


async def _names(desk: Desk, request: AnyRequest) -> dict[Any, str]:
    """Names of the team by id, for who published what."""
    members = await (await desk.services()).team.members(desk.someone(request))
    return {member.user_id: member.name for member in members}


def tones(visit: Visit) -> dict[str, tuple[str, str]]:
    """Return the tones with a name and an example each."""
    _ = visit._
    words = {
        "warm": (_("Warm"), _("“Happy to help! We are open until six today.”")),
        "formal": (_("Formal"), _("“Good afternoon. We are open until 6 p.m. today.”")),
        "brief": (_("Brief"), _("“Open until six.”")),
        "playful": (_("Playful"), _("“Still warm from the oven, and open till six!”")),
    }
    return {tone: words[tone] for tone in TONES}


def field_name(visit: Visit, field: str) -> str:
    """Return what a field of a profile is called."""
    _ = visit._
    return {
        "tone": _("Tone"),
        "persona": _("Voice"),
        "languages": _("Languages"),
        "rules": _("House rules"),
        "greeting": _("Greeting"),
        "disclosure": _("AI notice"),
        "facts": _("Facts"),
        "links": _("Allowed links"),
        "model": _("Model"),
    }[field]
