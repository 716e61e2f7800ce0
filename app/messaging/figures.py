"""Figures of the whole message path, for health and metrics: one statement, no tenant's data."""

from dataclasses import asdict, dataclass

from sqlalchemy import text

from app.core.db.engine import Database

WORKER_ALIVE_S = 15

_FIGURES = text(
    """
    select
        (select count(*) from tenants where status = 'active') as active_accounts,
        (select count(*) from turns where state in ('waiting', 'due')) as queued_count,
        (select count(*) from turns where state in ('claimed', 'held', 'generated', 'sending'))
            as processing_count,
        (select count(*) from send_parts where accepted_at > now() - interval '5 minutes')
            as sent_last_5m,
        (select count(*) from turns where state = 'failed'
            and finished_at > now() - interval '5 minutes') as failed_last_5m,
        (select count(*) from channels where enabled
            and status in ('STARTING', 'SCAN_QR_CODE', 'FAILED', 'STOPPED')) as reconnect_count,
        (select coalesce(extract(epoch from now() - least(
            (select min(received_at) from inbox_keys where pending),
            (select min(due_at) from turns where state in ('waiting', 'due')
                and due_at < now()))), 0)::float8) as outbox_lag_s,
        (select count(*) from process_heartbeats where service = 'worker'
            and beat_at > now() - make_interval(secs => :alive_s)) as workers
    """
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over all tenants now, and the age of the oldest work nobody has taken (seconds)."""

    active_accounts: int
    queued_count: int
    processing_count: int
    sent_last_5m: int
    failed_last_5m: int
    reconnect_count: int
    outbox_lag_s: float
    workers: int

    def as_json(self) -> dict[str, int | float]:
        """Return the keys of ``/metrics-json``."""
        return {
            "activeAccounts": self.active_accounts,
            "queuedCount": self.queued_count,
            "processingCount": self.processing_count,
            "sentLast5m": self.sent_last_5m,
            "failedLast5m": self.failed_last_5m,
            "reconnectCount": self.reconnect_count,
            "outboxLagSeconds": round(max(self.outbox_lag_s, 0.0), 3),
        }

    def as_gauges(self) -> dict[str, float]:
        """Return Prometheus gauges by name."""
        return {f"parley_{name}": float(value) for name, value in asdict(self).items()}


async def read(database: Database) -> Figures:
    """Read the figures of now."""
    async with database.system_statement() as connection:
        row = (await connection.execute(_FIGURES, {"alive_s": WORKER_ALIVE_S})).one()
    return Figures(**row._mapping)  # noqa: SLF001
