"""The keeper: asks WAHA about every number now and then, and mends what it finds.

Events tell most of it sooner. The keeper is for when they do not: WAHA restarted and lost its
sessions or their webhooks, a call of ours was cut off half way, WAHA is silent. Trouble is
looked at less and less often (a minute, doubling, an hour at most).
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.waha.sessions import WahaSessions
from app.core.config import Settings
from app.core.crypto import Keyring
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.locales import Translator, translator
from app.core.mail.letter import Action, Letter
from app.core.mail.outbox import Outbox
from app.core.observability.sentry import capture
from app.messaging.numbers.reading import COLUMNS, Access, Number, from_row
from app.messaging.numbers.statuses import WORKING, note_answer
from app.messaging.numbers.tending import Tended, Tending

log = logging.getLogger(__name__)

_PER_PASS = 20
_AT_ONCE_MAX = 5
_TAKEN_S = 120.0
_PAIRING_CHECK_S = 15.0
_BACKOFF_MAX_S = 3600.0
_DOUBLINGS_MAX = 6
_LETTERS_MAX = 100

_TAKE = text(
    f"""
    with due as (
        select tenant_id, id from channels
        where kind = 'waha' and check_due_at <= now() and status <> 'REMOVED'
          and (enabled or wanted = 'removed')
        order by check_due_at limit :rows_max for update skip locked
    )
    update channels c set check_due_at = now() + make_interval(secs => :taken_s)
    from due, tenants t
    where c.tenant_id = due.tenant_id and c.id = due.id and t.id = c.tenant_id
    returning {COLUMNS},
        case when t.status <> 'closing' or not c.managed then c.wanted
             when t.erase_due_at < now() + interval '1 day' then 'removed'
             else 'off' end as wish
    """  # noqa: S608 - a list of columns of ours
)
_NEXT = text(
    """
    update channels set check_due_at = now() + make_interval(secs => :wait_s), repairs = :repairs
    where tenant_id = :tenant_id and id = :id
    """
)
_REMOVED = text(
    """
    update channels set status = 'REMOVED', status_at = now(), down_since = null, problem = null,
        problem_at = null
    where tenant_id = :tenant_id and id = :id
    """
)
# The mail's row says that it was told, and is kept for ninety days.
# As ``tenants.notifications.wants`` judges it; here for all numbers in one statement.
_DOWN = text(
    """
    select c.tenant_id, c.name, t.name as business, c.id,
           cast(extract(epoch from c.down_since) as bigint) as down_s,
           cast(extract(epoch from now() - c.down_since) / 60 as int) as minutes, u.email,
           u.id as user_id, u.locale
    from channels c
    join tenants t on t.id = c.tenant_id and t.status = 'active'
    join memberships m on m.tenant_id = c.tenant_id and m.role in ('owner', 'manager')
    join users u on u.id = m.user_id and u.email_verified_at is not null and u.disabled_at is null
    left join user_notifications w on w.tenant_id = m.tenant_id and w.user_id = m.user_id
        and w.kind = 'number_down'
    where c.enabled and c.wanted = 'on' and coalesce(w.email, true)
      and c.down_since between now() - interval '30 days'
                           and now() - make_interval(secs => :down_s)
      and not exists (
          select 1 from mails l where l.tenant_id = c.tenant_id and l.key = 'number_down:' || c.id
            || ':' || cast(extract(epoch from c.down_since) as bigint) || ':' || u.id)
    order by c.tenant_id, c.id, u.id limit :rows_max
    """
)


class NumberKeeper:
    """Looks after the sessions that are due. Several processes may run it."""

    def __init__(
        self, database: Database, sessions: WahaSessions, settings: Settings, keyring: Keyring
    ) -> None:
        self._database = database
        self._tending = Tending(sessions, Access(settings, keyring))
        self._check_s = settings.timings.number_check_s

    async def run_once(self) -> int:
        """Look after the numbers that are due; return how many.

        A WAHA that is slow keeps few others waiting, and what goes wrong with one number in a
        way that nobody foresaw is its own affair: it is taken again when its time is over.
        """
        async with self._database.system() as connection:
            values = {"rows_max": _PER_PASS, "taken_s": _TAKEN_S}
            rows = (await connection.execute(_TAKE, values)).mappings().all()
            # A business that closes has its sessions stopped, and ended before it is erased.
            taken = [replace(from_row(row), wanted=row["wish"]) for row in rows]
        room = asyncio.Semaphore(_AT_ONCE_MAX)
        await asyncio.gather(*(self._look_after(number, room) for number in taken))
        return len(taken)

    async def _look_after(self, number: Number, room: asyncio.Semaphore) -> None:
        async with room:
            try:
                tended = await self._tending.settle(number)
                async with self._database.system() as connection:
                    await self._keep(connection, number, tended)
            except Exception as error:
                log.error(  # noqa: TRY400 - with its fields
                    "a number was not looked after",
                    exc_info=error,
                    extra={"channelId": number.id, "errorType": type(error).__name__},
                )
                if not is_away(error):
                    capture(error, tenant_id=number.tenant_id)
                return
        if tended.problem or tended.repaired:
            log.info(
                "a number's session was tended",
                extra={"channelId": number.id, "outcome": tended.problem or "repaired"},
            )

    async def _keep(self, connection: AsyncConnection, number: Number, tended: Tended) -> None:
        await keep(connection, number, tended)
        status = tended.facts.status if tended.facts else ""
        trouble = tended.problem is not None or tended.repaired
        repairs = min(number.repairs + 1, _DOUBLINGS_MAX) if trouble else 0
        if trouble:
            wait_s = min(self._check_s * 2 ** (repairs - 1), _BACKOFF_MAX_S)
        elif status in {WORKING, "STOPPED", "FAILED"}:
            wait_s = self._check_s
        else:
            wait_s = min(_PAIRING_CHECK_S, self._check_s)
        await connection.execute(
            _NEXT,
            {
                "tenant_id": number.tenant_id,
                "id": number.id,
                "wait_s": wait_s,
                "repairs": repairs,
            },
        )


async def keep(connection: AsyncConnection, number: Number, tended: Tended) -> None:
    """Record what became of a number's session."""
    if tended.removed:
        values = {"tenant_id": number.tenant_id, "id": number.id}
        await connection.execute(_REMOVED, values)
        return
    await note_answer(
        connection,
        number.tenant_id,
        number.id,
        tended.facts,
        problem=tended.problem,
        version=tended.version,
    )


async def watch_numbers(
    connection: AsyncConnection, outbox: Outbox, app_url: str, down_s: float
) -> int:
    """Write to those who look after numbers that have been down for a while, once each time."""
    rows = (await connection.execute(_DOWN, {"down_s": down_s, "rows_max": _LETTERS_MAX})).all()
    queued = 0
    for row in rows:
        queued += await outbox.queue(
            connection,
            to=row.email,
            letter=_letter(translator(row.locale), row, f"{app_url}/numbers/{row.id}"),
            key=f"number_down:{row.id}:{row.down_s}:{row.user_id}",
            tenant_id=row.tenant_id,
        )
    return queued


def _letter(_: Translator, row: Any, url: str) -> Letter:
    return Letter(
        locale=_.language,
        subject=_("%(name)s is not connected to WhatsApp", name=row.name),
        preheader=_("Customers' messages are not answered until it is connected again."),
        paragraphs=(
            _(
                "The number “%(name)s” of %(business)s lost its connection to WhatsApp %(minutes)s"
                " minutes ago and has not come back by itself.",
                name=row.name,
                business=row.business,
                minutes=row.minutes,
            ),
            _(
                "Until it is connected again the assistant neither receives nor answers messages"
                " there. Messages that arrive meanwhile stay on the phone."
            ),
        ),
        action=Action(_("See what to do"), url),
        footnote=_(
            "You get this mail because you look after the numbers of %(business)s. Change that in"
            " Parley.",
            business=row.business,
        ),
    )
