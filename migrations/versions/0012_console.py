"""Console: why a business is suspended, and the indexes behind ledger pages and admins' lists.

Revision: 0012
Follows: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

RARE = "kind not in ('hold', 'release', 'capture')"
INDEXES = {
    # What moves a balance, by time: statements, burn rates, an admin's day. Answers from the
    # index alone; a hold and its release, two of three entries, are not in it.
    "ix_journal_moves": "journal (tenant_id, created_at) include (kind, amount_ucr)"
    " where kind not in ('hold', 'release')",
    # Grants, refunds, expiries and clawbacks stand far apart between the charges.
    "ix_journal_given": f"journal (tenant_id, seq) where {RARE}",
    "ix_journal_given_at": f"journal (created_at, tenant_id, seq) where {RARE}",
    "ix_credit_requests_author": "credit_requests (requested_by, created_at)",
    "ix_credit_requests_created_at": "credit_requests (created_at, id)",
    "ix_account_log_at": "account_log (at, id)",
    "ix_audit_log_platform": "audit_log (at, id) where actor_kind in ('admin', 'operator')",
    "ix_tenants_created_at": "tenants (created_at, id)",
    "ix_inbox_keys_failed": "inbox_keys (received_at) where outcome = 'failed'",
    "ix_turns_failed": "turns (finished_at) where state = 'failed'",
    "ix_mails_failed": "mails (ended_at) where state = 'failed'",
    "ix_stripe_events_ended_at": "stripe_events (ended_at) where ended_at is not null",
}


def upgrade() -> None:
    """Add the column and the indexes; let the system delete events of Stripe that are old."""
    op.execute("alter table tenants add column status_reason text")
    for name, terms in INDEXES.items():
        op.execute(f"create index {name} on {terms}")
    op.execute("grant delete on stripe_events to parley_system")


def downgrade() -> None:
    """Take them away again."""
    op.execute("revoke delete on stripe_events from parley_system")
    for name in INDEXES:
        op.execute(f"drop index {name}")
    op.execute("alter table tenants drop column status_reason")
