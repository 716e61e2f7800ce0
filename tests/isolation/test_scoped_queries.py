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
    "app/core/mail/feedback.py": "found by Resend's id of the mail, which names the business",
    "app/messaging/address_book/importing.py": "housekeeping over all tenants",
    "app/messaging/media/sweeping.py": "housekeeping over all tenants: uploads nobody sent",
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


def written_names(tree: ast.Module) -> dict[str, str]:
    """A module's own texts by name: what an f-string of the same file puts in."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def composed(text: ast.JoinedStr, names: dict[str, str]) -> str:
    """An f-string's text; what cannot be known from its file alone reads as a question mark."""
    parts = []
    for part in text.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            parts.append(names.get(part.value.id, " ? "))
        else:
            parts.append(" ? ")
    return "".join(parts)


def statements(path: Path) -> list[tuple[int, str]]:
    """The SQL texts of a file; the parts of a composed one joined."""
    tree = ast.parse(path.read_text())
    names = written_names(tree)
    found: list[tuple[int, str]] = []
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):  # breadth first: a whole comes before its parts
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            text = composed(node, names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
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
    file = tmp_path / "x.py"
    file.write_text(
        'ONE = "id = :id"\nOURS = "tenant_id = :tenant_id"\n'
        'A = "select * from messages where id = :id"\n'
        'B = f"delete from messages where {ONE}"\n'
        'C = f"delete from messages where {OURS} and {ONE}"\n'
        'D = f"delete from messages where {elsewhere}"\n'
    )
    forgot = [
        (line, set(SQL.findall(text)) & tenant_tables())
        for line, text in statements(file)
        if "tenant" not in text
    ]
    assert forgot == [(line, {"messages"}) for line in (3, 4, 6)]
