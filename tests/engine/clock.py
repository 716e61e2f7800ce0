"""Time travel: stored rows are moved into the past, nobody waits and no clock is patched."""

from uuid import UUID

import asyncpg

# Every column of the message path that is compared with PostgreSQL's clock.
_MOMENTS = {
    "turns": ("first_at", "due_at", "lease_until", "failing_since", "finished_at", "media_until"),
    "tenant_queues": ("blocked_until",),
    "messages": ("sent_at", "received_at"),
    "message_media": ("due_at", "created_at"),
    "send_parts": ("started_at", "accepted_at", "next_attempt_at"),
    "sends": ("created_at",),
    "desk_sends": ("due_at",),
    "credit_holds": ("created_at", "closed_at"),
    "wallets": ("day_from", "day_until", "month_from", "month_until"),
    "conversations": (
        "human_until",
        "paused_until",
        "snoozed_until",
        "notify_at",
        "notified_at",
        "closed_told_until",
        "last_message_at",
    ),
    "tenant_conduct": ("letters_at",),
    "inbox_keys": ("received_at",),
    "process_heartbeats": ("beat_at",),
    "leases": ("until",),
}

_OF_NO_TENANT = {"process_heartbeats", "leases"}


async def age_tenant(connection: asyncpg.Connection, tenant_id: UUID, seconds: float) -> None:
    """Make one tenant's rows older, in one round trip."""
    moves = ";".join(
        f"update {table} set "
        + ", ".join(f"{c} = {c} - interval '{float(seconds)} seconds'" for c in columns)
        + f" where tenant_id = '{tenant_id}'"
        for table, columns in _MOMENTS.items()
        if table not in _OF_NO_TENANT
    )
    await connection.execute(moves)


async def age(superuser_url: str, seconds: float) -> None:
    """Make everything stored ``seconds`` older, as if that time had passed."""
    connection = await asyncpg.connect(superuser_url)
    try:
        async with connection.transaction():
            for table, columns in _MOMENTS.items():
                moved = ", ".join(f"{c} = {c} - make_interval(secs => $1)" for c in columns)
                await connection.execute(f"update {table} set {moved}", float(seconds))
    finally:
        await connection.close()
