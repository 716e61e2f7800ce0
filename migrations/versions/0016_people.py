"""What became of e-mails, addresses that take none, and businesses that ask for a second factor.

Revision: 0016
Follows: 0015
"""

from alembic import op

from migrations.isolation import isolate_platform

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MAILS = """
alter table mails
    add column outcome text,
    add column outcome_at timestamptz,
    add constraint ck_mails_outcome check (outcome in ('delivered', 'bounced', 'complained')),
    add constraint ck_mails_outcome_at check ((outcome is null) = (outcome_at is null))
"""
MAILS_DOWN = """
alter table mails drop column outcome, drop column outcome_at
"""
# The address as a keyed hash: nobody reads from it who was written to.
MAIL_BLOCKS = """
create table mail_blocks (
    address_hash text not null,
    reason text not null,
    created_at timestamptz not null default now(),
    constraint pk_mail_blocks primary key (address_hash),
    constraint ck_mail_blocks_reason check (reason in ('bounced', 'complained'))
)
"""
BY_PROVIDER = (
    "create index ix_mails_provider_id on mails (provider_id) where provider_id is not null"
)


def upgrade() -> None:
    """Add the columns, the table and the index."""
    op.execute(MAILS)
    op.execute(BY_PROVIDER)
    op.execute(MAIL_BLOCKS)
    isolate_platform("mail_blocks")
    op.execute("alter table tenants add column second_factor_since timestamptz")


def downgrade() -> None:
    """Drop them; what is known of addresses and who asks for a second factor is gone."""
    op.execute("alter table tenants drop column second_factor_since")
    op.execute("drop table mail_blocks")
    op.execute("drop index ix_mails_provider_id")
    op.execute(MAILS_DOWN)
