"""Hours and manners: when the assistant answers, when people are there, and how it behaves."""

from datetime import UTC, datetime
from typing import Any

from babel.dates import get_day_names
from litestar import Response, get, post

from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.hours_form import SPECIAL_INTERVALS, conduct_of, fields_of, special_rows
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit
from app.messaging.opt_words import START_WORDS, STOP_WORDS, languages
from tenants.access import Permission, may
from tenants.conduct import CAP_S_MAX, IDLE_S_MAX, NAME_CHARS_MAX, TEXT_CHARS_MAX, Standing
from tenants.hours import INTERVALS_A_DAY_MAX
from tenants.hours_words import when

HERE = "/assistant/hours"
TEMPLATE = "assistant/hours.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        standing = await (await desk.services()).conduct.read(someone)
        form = fields_of(standing.conduct)
        return page(visit, TEMPLATE, errors={}, form=form, **_view(visit, standing, form))

    @post(HERE)
    async def change(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        conduct = (await desk.services()).conduct
        standing = await conduct.read(someone)
        try:
            wanted = conduct_of(form, standing.conduct)
            await conduct.change(someone, wanted, desk.device(request))
        except Refusals as error:
            visit = desk.visit(request)
            view = {"form": form, **_view(visit, standing, form)}
            return refused(visit, TEMPLATE, error, fields=(), **view)
        return desk.leave_word(go(HERE), "saved")

    return [show, change]


def _view(visit: Visit, standing: Standing, form: dict[str, str]) -> dict[str, Any]:
    hours = standing.conduct.hours
    now = datetime.now(UTC)
    opens, closes = hours.next_opening(now), hours.closing(now)
    names = get_day_names("wide", context="stand-alone", locale=visit.language)
    heard = languages(standing.locale)
    return {
        "days": [(day, names[day]) for day in range(7)],
        "intervals": range(INTERVALS_A_DAY_MAX),
        "special_intervals": range(SPECIAL_INTERVALS),
        "special_rows": special_rows(form),
        "zone": str(hours.zone),
        "known": hours.known,
        "closes": when(closes, now, visit.language) if closes else "",
        "opens": when(opens, now, visit.language) if opens and not closes else "",
        "may_edit_business": _may_edit_business(visit),
        "stop_words": _heard(STOP_WORDS, heard),
        "start_words": _heard(START_WORDS, heard),
        "opted_out": standing.opted_out,
        "text_max": TEXT_CHARS_MAX,
        "name_max": NAME_CHARS_MAX,
        "idle_max": IDLE_S_MAX,
        "cap_max": CAP_S_MAX,
    }


def _may_edit_business(visit: Visit) -> bool:
    role = visit.person.role if visit.person else None
    return role is not None and may(role, Permission.EDIT_BUSINESS)


def _heard(words: dict[str, tuple[str, ...]], heard: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(word for language in heard for word in words[language]))
