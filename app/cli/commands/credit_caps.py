"""`parley credits caps`: what a tenant allows its assistant to spend, and the auto-stop."""

import json
from dataclasses import replace
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.errors import ExitCode
from app.cli.system_scope import find_tenant, in_system_scope, operator
from app.core.errors import RefusedError
from app.core.money import format_credits, parse_credits
from billing import caps
from billing.caps import CapsNow

_OFF = "off"


@click.command("caps")
@click.option("--tenant", required=True, metavar="ID|SLUG", help="Whose caps.")
@click.option("--daily", metavar="N|off", help="Credits a day, in the tenant's time zone.")
@click.option("--monthly", metavar="N|off", help="Credits a calendar month, likewise.")
@click.option("--contact", type=int, metavar="N", help="Replies to one contact a day.")
@click.option("--auto-stop", metavar="N|off", help="Credits an hour that stop the assistant.")
@click.option("--resume", is_flag=True, help="Let a stopped assistant go on.")
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")
def show_or_change_caps(
    *,
    tenant: str,
    daily: str | None,
    monthly: str | None,
    contact: int | None,
    auto_stop: str | None,
    resume: bool,
    json_output: bool,
) -> int:
    """Show a tenant's caps, or change those that are given."""
    wanted: dict[str, Any] = {}
    if daily is not None:
        wanted["daily_cap_ucr"] = _credits(daily, "--daily")
    if monthly is not None:
        wanted["monthly_cap_ucr"] = _credits(monthly, "--monthly")
    if contact is not None:
        wanted["contact_replies_per_day"] = contact
    if auto_stop is not None:
        wanted["auto_stop_ucr_per_hour"] = _credits(auto_stop, "--auto-stop")

    async def run(connection: AsyncConnection) -> CapsNow:
        tenant_id = await find_tenant(connection, tenant)
        now = await caps.read(connection, tenant_id)
        if wanted:
            changed = replace(now.caps, **wanted)
            now = await caps.change(connection, tenant_id, changed, actor=operator())
        if resume:
            await caps.resume(connection, tenant_id, actor=operator())
            now = await caps.read(connection, tenant_id)
        return now

    now = in_system_scope(run)
    click.echo(json.dumps(_as_json(now)) if json_output else _sentences(now))
    return ExitCode.DONE


def _credits(value: str, option: str) -> int | None:
    if value.strip().lower() == _OFF:
        return None
    try:
        return parse_credits(value)
    except RefusedError as error:
        raise RefusedError(f"{option}: {error} Write {_OFF} for none.") from None


def _as_json(now: CapsNow) -> dict[str, object]:
    return {
        "daily": _amount(now.caps.daily_cap_ucr),
        "monthly": _amount(now.caps.monthly_cap_ucr),
        "contact_replies_per_day": now.caps.contact_replies_per_day,
        "auto_stop_per_hour": _amount(now.caps.auto_stop_ucr_per_hour),
        "used_today": format_credits(now.used_today_ucr),
        "used_this_month": format_credits(now.used_this_month_ucr),
        "stopped_at": now.stopped_at.isoformat() if now.stopped_at else None,
        "stopped_reason": now.stopped_reason,
    }


def _amount(ucr: int | None) -> str | None:
    return format_credits(ucr) if ucr is not None else None


def _sentences(now: CapsNow) -> str:
    daily, hourly = _amount(now.caps.daily_cap_ucr), _amount(now.caps.auto_stop_ucr_per_hour)
    monthly = _amount(now.caps.monthly_cap_ucr)
    used = format_credits(now.used_today_ucr)
    used_month = format_credits(now.used_this_month_ucr)
    lines = [
        f"Credits a day: {f'at most {daily}' if daily else 'no cap'}; {used} used today.",
        f"Credits a month: {f'at most {monthly}' if monthly else 'no cap'}; {used_month} used.",
        f"Replies to one contact a day: at most {now.caps.contact_replies_per_day}.",
        f"Auto-stop: {f'above {hourly} credits an hour' if hourly is not None else 'off'}.",
    ]
    if now.stopped_at is not None:
        lines.append(
            f"The assistant is stopped since {now.stopped_at:%Y-%m-%d %H:%M} UTC"
            f": {now.stopped_reason} --resume lets it go on."
        )
    return "\n".join(lines)
