"""Alembic's entry: runs migrations on the connection `soc._database` hands over."""

from alembic import context

from soc._schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
