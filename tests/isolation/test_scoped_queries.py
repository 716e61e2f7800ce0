"""A lint: SQL that names a tenant's table names the tenant too, or says why it need not.

Row level security already stands behind every query of the app's login. This keeps the queries
of the system's login, which sees all tenants, from forgetting whom they are for.
"""

import ast
import re
from pathlib import Path

from migrations.metadata import metadata

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "tenants", "billing", "workers")
NOT_SERVED = ("app/cli/",)
SQL = re.compile(r"\b(?:from|join|into|update)\s+([a-z_]+)", re.IGNORECASE)
STATEMENT = re.compile(r"^\s*(?:select|insert|update|delete|with)\b", re.IGNORECASE)
# Statements that work for all tenants on purpose: housekeeping and look-ups by a global secret.
UNSCOPED = {
    "app/core/mail/delivery.py": "the outbox's work list, by the mail's own id",
    "app/messaging/address_book/importing.py": "housekeeping over all tenants",
    "app/messaging/reconcile.py": "all numbers are compared after the door was closed",
    "billing/approvals.py": "an admin's list over all businesses",
    "billing/platform.py": "all wallets together, for platform admins",
    "billing/payments/applying.py": "found by Stripe's customer, which names the business",
    "billing/payments/receipts.py": "found by Stripe's payment, which names the business",
    "tenants/businesses.py": "how many businesses one person owns",
    "tenants/phone_codes.py": "housekeeping over all tenants",
    "workers/inbox.py": "whether any event waits",
    "workers/scheduler/money.py": "housekeeping over all tenants",
}


def tenant_tables() -> set[str]:
    return {name for name, table in metadata.tables.items() if "tenant_id" in table.columns}


def statements(path: Path) -> list[tuple[int, str]]:
    """The SQL texts of a file; the parts of a composed one joined."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else " ? " for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if STATEMENT.match(text):
            found.append((node.lineno, text))
    return found


def unscoped(path: Path, tables: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {' '.join(text.split())[:80]}"
        for line, text in statements(path)
        if set(SQL.findall(text)) & tables and "tenant" not in text
    ]


def sources() -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(NOT_SERVED)
    ]


def test_every_query_of_a_tenants_table_names_the_tenant():
    tables = tenant_tables()
    found = [
        line
        for path in sources()
        if str(path.relative_to(ROOT)) not in UNSCOPED
        for line in unscoped(path, tables)
    ]
    assert found == [], "name the tenant in the query, or the file in UNSCOPED with a reason"


def test_the_lint_sees_a_query_that_forgot(tmp_path: Path):
    bad = ROOT / "tenants" / "service.py"
    assert unscoped(bad, tenant_tables()) == []
    text = 'A = "select * from messages where id = :id"\nB = f"delete from {x} where a"\n'
    file = tmp_path / "x.py"
    file.write_text(text)
    sql = [text for _, text in statements(file)]
    assert sql[0].startswith("select")
    assert set(SQL.findall(sql[0])) & tenant_tables() == {"messages"}
