"""Letters about spending: credits bought by themselves, and a month's limit that is used up."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.mail.letter import Letter
from billing.notices.letters import Notices, Reader
from billing.payments.money import format_money

_ALL = 100


async def tell_auto_top_up_paused(
    notices: Notices, connection: AsyncConnection, tenant_id: UUID, *, occasion: str, reason: str
) -> bool:
    """Tell that credits are not bought by themselves any more, and why; True when queued."""

    def compose(reader: Reader) -> Letter:
        _ = reader._
        return reader.letter(
            subject=_("Automatic top-up is paused"),
            preheader=_("Credits are bought by hand until you switch it on again."),
            paragraphs=(
                _why_paused(reader, reason),
                _(
                    "Use another card or switch automatic top-up on again. Until then credits are"
                    " bought by hand only; without any, the assistant stops and conversations go"
                    " to your team."
                ),
            ),
            action=_("See automatic top-up"),
            url=f"{reader.page}/auto",
        )

    return await notices.write(connection, tenant_id, f"auto_top_up_paused:{occasion}", compose)


async def tell_auto_top_up_limit(
    notices: Notices,
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    month: str,
    spent_minor: int,
    limit_minor: int,
    currency: str,
) -> bool:
    """Tell that a month's limit keeps credits from being bought; True when it was queued."""

    def compose(reader: Reader) -> Letter:
        _ = reader._
        spent = format_money(spent_minor, currency, _.language)
        limit = format_money(limit_minor, currency, _.language)
        return reader.letter(
            subject=_("The monthly limit of automatic top-up is reached"),
            preheader=_("%(spent)s of %(limit)s were spent this month.", spent=spent, limit=limit),
            paragraphs=(
                _(
                    "The credits of %(business)s are below your threshold. Another purchase would"
                    " go above the %(limit)s a month that you allowed, so nothing was bought.",
                    business=reader.business,
                    limit=limit,
                ),
                _("Top up by hand, raise the limit, or wait for the next month."),
            ),
            facts=((_("Bought this month"), spent), (_("Your limit"), limit)),
            action=_("See automatic top-up"),
            url=f"{reader.page}/auto",
        )

    return await notices.write(connection, tenant_id, f"auto_top_up_limit:{month}", compose)


async def tell_cap(
    notices: Notices,
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    occasion: str,
    percent: int,
    used_ucr: int,
    cap_ucr: int,
) -> bool:
    """Tell that most (or all) of a month's own limit is used; True when it was queued."""

    def compose(reader: Reader) -> Letter:
        _ = reader._
        used, cap = reader.formats.credits(used_ucr), reader.formats.credits(cap_ucr)
        reached = percent >= _ALL
        return reader.letter(
            subject=_("Your monthly limit of credits is reached")
            if reached
            else _("%(percent)s %% of your monthly limit of credits is used", percent=percent),
            preheader=_("%(used)s of %(cap)s credits this month.", used=used, cap=cap),
            paragraphs=(
                _(
                    "%(business)s has used %(used)s of the %(cap)s credits that you allow a month.",
                    business=reader.business,
                    used=used,
                    cap=cap,
                ),
                _(
                    "The assistant hands conversations to your team until the next month begins,"
                    " or until you raise the limit."
                )
                if reached
                else _("When the limit is reached, conversations go to your team."),
            ),
            facts=((_("Used this month"), used), (_("Your limit"), cap)),
            action=_("See your limits"),
            url=f"{reader.page}/limits",
        )

    return await notices.write(connection, tenant_id, f"cap:{occasion}", compose)


def _why_paused(reader: Reader, reason: str) -> str:
    _ = reader._
    if reason == "declined":
        return _(
            "The card of %(business)s was declined when credits were to be bought. Nothing was"
            " charged.",
            business=reader.business,
        )
    if reason == "taken_back":
        return _(
            "Money that %(business)s had paid for an automatic top-up was refunded, or taken back"
            " by its bank.",
            business=reader.business,
        )
    return _(
        "The purchase of credits for %(business)s was refused by the payment service. Nothing was"
        " charged.",
        business=reader.business,
    )
