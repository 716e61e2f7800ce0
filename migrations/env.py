"""Alembic's environment: online only, over asyncpg, as the owner of the schema.

The connection arrives from ``migrations.runner`` in ``config.attributes``; Alembic's own
command line is not used.
"""

from alembic import context

from migrations.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
    include_object=context.config.attributes.get("include_object"),
)
with context.begin_transaction():
    context.run_migrations()
