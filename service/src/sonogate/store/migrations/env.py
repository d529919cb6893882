"""Alembic's entry: runs the migrations in the transaction that `store.migrate` hands over."""

from alembic import context

from sonogate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
