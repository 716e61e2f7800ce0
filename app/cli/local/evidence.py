"""What a demo run leaves behind, read from the database and from the simulator's records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.cli.local.http_client import request

CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class TurnEvidence:
    """One turn as the database has it."""

    message_id: str
    turn_id: str
    state: str
    disposition: str
    send_states: tuple[str, ...]


async def read_turns(
    system_url: str, tenant_id: str, message_ids: Sequence[str]
) -> list[TurnEvidence]:
    """The turns of these inbound messages (WhatsApp's bare ids), oldest message first."""
    import asyncpg

    connection = await asyncpg.connect(system_url, timeout=CONNECT_TIMEOUT_S)
    try:
        rows = await connection.fetch(
            "select m.wa_id, t.id::text as turn_id, t.state, m.disposition,"
            " array(select p.state from sends s join send_parts p"
            "       on p.tenant_id = s.tenant_id and p.send_id = s.id"
            "       where s.tenant_id = m.tenant_id and s.turn_id = t.id"
            "       order by p.part_no) as send_states"
            " from messages m left join turns t on t.tenant_id = m.tenant_id and t.id = m.turn_id"
            " where m.tenant_id = $1 and m.wa_id = any($2) and m.direction = 'in'"
            " order by m.received_at, m.id",
            UUID(tenant_id),
            list(message_ids),
        )
    finally:
        await connection.close()
    return [
        TurnEvidence(
            message_id=row["wa_id"],
            turn_id=row["turn_id"] or "none",
            state=row["state"] or "none",
            disposition=row["disposition"] or "none",
            send_states=tuple(row["send_states"]),
        )
        for row in rows
    ]


def provider_calls(simulator_url: str) -> Counter[tuple[str, str, int | None]]:
    """How often each provider's address was called, by (service, method and path, status)."""
    calls: list[dict[str, Any]] = request("GET", f"{simulator_url}/_sim/calls").json()["calls"]
    return Counter(
        (call["service"], f"{call['method']} {call['path'].partition('?')[0]}", call["status"])
        for call in calls
    )


def webhook_attempts(simulator_url: str, session: str) -> list[int | str]:
    """Statuses of all delivery attempts of the session's `message` events, in order."""
    rows = request("GET", f"{simulator_url}/_sim/webhooks").json()["webhooks"]
    return [
        attempt.get("status") or attempt.get("error") or "none"
        for row in rows
        if row["session"] == session and row["event"] == "message"
        for attempt in row["attempts"]
    ]
