"""What finds the conversations that the assistant left to people.

Revision: 0017
Follows: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# Few messages end so: the index is small beside the table. See app/messaging/desk/waiting.py.
LEFT = """
create index ix_messages_left on messages (tenant_id, sent_at) include (conversation_id)
where direction = 'in' and disposition in (
    'too_old', 'out_of_hours', 'opted_out', 'paused', 'suspended', 'send_unknown')
"""


def upgrade() -> None:
    """Make the index."""
    op.execute(LEFT)


def downgrade() -> None:
    """Drop it."""
    op.execute("drop index ix_messages_left")
