"""Row level security for migrations: every tenant table gets the same two policies.

Two permissive policies a table, one a role, instead of one with ``OR``: the planner keeps
the tenant's equality as an index condition. RLS is forced, so it binds the owner too, and
SECURITY DEFINER functions need a policy of their own role (``parley_ledger``).
"""

from alembic import op

TENANT_SCOPE = "nullif(current_setting('app.tenant_id', true), '')::uuid"

ALL = "select, insert, update, delete"
READ = "select"
APPEND = "select, insert"


def isolate(
    table: str,
    *,
    column: str = "tenant_id",
    app: str = ALL,
    system: str = ALL,
    ledger: str | None = None,
) -> None:
    """Force row level security on a tenant table and grant its rights.

    Args:
        table: the table's name in schema public.
        column: the column that holds the tenant's id.
        app: rights of ``parley_app`` (within its tenant).
        system: rights of ``parley_system`` (all tenants).
        ledger: rights of ``parley_ledger``, the owner of the ledger's functions.
    """
    _force(table)
    own = f"{column} = {TENANT_SCOPE}"
    op.execute(
        f"create policy {table}_tenant on {table} for all to parley_app"
        f" using ({own}) with check ({own})"
    )
    _system(table)
    _grant(table, app=app, system=system)
    if ledger:
        op.execute(
            f"create policy {table}_ledger on {table} for all to parley_ledger"
            " using (true) with check (true)"
        )
        op.execute(f"grant {ledger} on {table} to parley_ledger")


def isolate_platform(table: str, *, system: str = ALL) -> None:
    """Force row level security on a table that belongs to no tenant: only the system sees it."""
    _force(table)
    op.execute(f"create policy {table}_tenant on {table} for all to parley_app using (false)")
    _system(table)
    op.execute(f"grant {system} on {table} to parley_system")


def share(table: str, *, app: str = READ, system: str = ALL) -> None:
    """Grant rights on a platform table of the closed list that has no row level security."""
    _grant(table, app=app, system=system)


def _force(table: str) -> None:
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")


def _system(table: str) -> None:
    op.execute(
        f"create policy {table}_system on {table} for all to parley_system"
        " using (true) with check (true)"
    )


def _grant(table: str, *, app: str, system: str) -> None:
    if app:
        op.execute(f"grant {app} on {table} to parley_app")
    if system:
        op.execute(f"grant {system} on {table} to parley_system")
