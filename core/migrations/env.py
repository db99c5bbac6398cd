"""How alembic runs our steps: inside the connection, and the transaction, that core.relational hands it."""

from alembic import context

from core.relational import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all steps together
    render_as_batch=True,
)
context.run_migrations()
