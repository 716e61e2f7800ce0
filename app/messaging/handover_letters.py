"""Letters to the people of a business: somebody waits for an answer of theirs.

``conversations.notify_at`` says that a letter is due; whoever takes the conversation over,
resolves it or gives it back clears it. About one conversation at most one letter goes out in
half an hour, and to one business at most one a minute: who waits by then shares it. A
conversation that belongs to somebody is written about to them alone, if they want such letters.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import Word
from app.core.locales import Translator, translator
from app.core.mail.letter import Action, Letter
from app.core.mail.outbox import Outbox
from app.messaging.states import HandoverReason
from tenants.notifications import Notice, Recipient, wants

_APART_S = 60.0
_WAITING_MAX = 100
_LISTED_MAX = 10
_SUMMARY_CHARS_MAX = 200
_WAITING = Word("%(name)s is waiting for a person (%(number)s).")

WHY: dict[HandoverReason, Word] = {
    HandoverReason.CUSTOMER_REQUEST: Word("%(name)s asked for a person (%(number)s)."),
    HandoverReason.MISSING_KNOWLEDGE: Word(
        "%(name)s asked something the assistant does not know (%(number)s)."
    ),
    HandoverReason.UNSUPPORTED_REQUEST: Word(
        "%(name)s wants something the assistant may not do (%(number)s)."
    ),
    HandoverReason.POLICY_RESTRICTION: Word(
        "%(name)s asked something the assistant must not answer (%(number)s)."
    ),
    HandoverReason.TOOL_FAILURE: Word(
        "%(name)s could not be answered because something failed (%(number)s)."
    ),
    HandoverReason.PENDING_CLARIFICATION: Word(
        "%(name)s needs an answer that only you can give (%(number)s)."
    ),
    HandoverReason.USAGE_LIMIT: Word("%(name)s reached a limit that you set (%(number)s)."),
    HandoverReason.LOOP_BRAKE: Word(
        "%(name)s may be a machine; the assistant stopped answering (%(number)s)."
    ),
}
"""What a letter says of a conversation, by why it was handed over."""

# Conversations only, in one order; nothing else is locked behind them.
_DUE = text(
    """
    select c.tenant_id, c.id, c.handover_reason, c.handover_summary, c.assignee_id,
           coalesce(p.name, p.push_name) as customer, n.name as number, t.name as business,
           coalesce(k.letters_with_summary, false) as with_summary,
           extract(epoch from c.notify_at)::bigint as due_s
    from conversations c
    join tenants t on t.id = c.tenant_id and t.status = 'active'
    join contacts p on p.tenant_id = c.tenant_id and p.id = c.contact_id
    join channels n on n.tenant_id = c.tenant_id and n.id = c.channel_id
    left join tenant_conduct k on k.tenant_id = c.tenant_id
    where c.notify_at <= now() and c.state = 'open'
      and coalesce(k.letters_at < now() - make_interval(secs => :apart_s), true)
    order by c.tenant_id, c.notify_at, c.id limit :waiting_max
    for no key update of c skip locked
    """
)
_TOLD = text(
    """
    update conversations set notified_at = now(), notify_at = null
    where tenant_id = :tenant_id and id = any(:ids)
    """
)
_SENT = text(
    """
    insert into tenant_conduct (tenant_id, letters_at) values (:tenant_id, now())
    on conflict (tenant_id) do update set letters_at = now()
    """
)


class HandoverLetters:
    """Writes to those who want to know. Needs the system scope, which sees their addresses."""

    def __init__(self, outbox: Outbox, app_url: str) -> None:
        self._outbox = outbox
        self._inbox = f"{app_url.rstrip('/')}/inbox"

    async def write_due(self, connection: AsyncConnection) -> int:
        """Queue the letters that are due; return how many conversations they are about."""
        values = {"apart_s": _APART_S, "waiting_max": _WAITING_MAX}
        due = (await connection.execute(_DUE, values)).all()
        for tenant_id in sorted({row.tenant_id for row in due}):
            await self._write(connection, tenant_id, [r for r in due if r.tenant_id == tenant_id])
        return len(due)

    async def _write(
        self, connection: AsyncConnection, tenant_id: UUID, waiting: Sequence[Any]
    ) -> None:
        recipients = await wants(connection, tenant_id, Notice.HANDOVER)
        known = {each.user_id for each in recipients}
        for recipient in recipients:
            theirs = [w for w in waiting if _concerns(w, recipient, known)]
            if theirs:
                await self._outbox.queue(
                    connection,
                    to=recipient.email,
                    letter=self.letter(recipient, theirs),
                    key=f"handover:{theirs[0].id}:{theirs[0].due_s}:{recipient.user_id}",
                    tenant_id=tenant_id,
                )
        told = {"tenant_id": tenant_id, "ids": [w.id for w in waiting]}
        await connection.execute(_TOLD, told)
        await connection.execute(_SENT, {"tenant_id": tenant_id})

    def letter(self, recipient: Recipient, waiting: Sequence[Any]) -> Letter:
        """Return the letter about those who wait, the longest first."""
        _ = translator(recipient.locale)
        business, count = waiting[0].business, len(waiting)
        more = count - _LISTED_MAX
        single = {"name": _name(_, waiting[0]), "business": business}
        return Letter(
            locale=_.language,
            subject=_("%(name)s is waiting for %(business)s", **single)
            if count == 1
            else _(
                "%(count)s customers are waiting for %(business)s", count=count, business=business
            ),
            preheader=_("The assistant has asked for a person."),
            paragraphs=(
                _("Hello %(name)s,", name=recipient.name),
                *(_line(_, w) for w in waiting[:_LISTED_MAX]),
            ),
            action=Action(
                _("Open the conversation") if count == 1 else _("Open the inbox"),
                f"{self._inbox}/{waiting[0].id}" if count == 1 else self._inbox,
            ),
            closing=(_("And %(number)s more.", number=more),) if more > 0 else (),
            footnote=_(
                "You get this mail because customers of %(business)s may need you. Change that in"
                " Parley.",
                business=business,
            ),
        )


def _concerns(waiting: Any, recipient: Recipient, known: set[UUID]) -> bool:
    theirs = waiting.assignee_id if waiting.assignee_id in known else None
    return theirs is None or theirs == recipient.user_id


def _line(_: Translator, waiting: Any) -> str:
    said = WHY.get(HandoverReason(waiting.handover_reason), _WAITING)
    line = _(said, name=_name(_, waiting), number=waiting.number)
    if waiting.with_summary and waiting.handover_summary:
        line += f" {waiting.handover_summary[:_SUMMARY_CHARS_MAX]}"
    return line


def _name(_: Translator, waiting: Any) -> str:
    return waiting.customer or _("A customer")
