"""What Alembic runs for each command: it works on the connection that the caller handed in."""

from alembic import context
from sqlmodel import SQLModel

from broker.stores.sql import tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    compare_type=True,
    compare_server_default=True,
    transactional_ddl=True,  # our SQLite engine begins transactions itself, so DDL is in them
    transaction_per_migration=True,  # unless the caller has begun one: then all are in it
)
with context.begin_transaction():
    context.run_migrations()
