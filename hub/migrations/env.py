"""Alembic's entry: run the revisions on the connection that `hub.migrations.runner` hands over."""

from alembic import context

from hub.tables import is_compared, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
    include_name=is_compared,
)
with context.begin_transaction():
    context.run_migrations()
