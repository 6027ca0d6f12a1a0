"""Steps that take long on a big table, so that nobody who uses it has to wait for them."""

from collections.abc import Sequence

from alembic import op


def add_index(name: str, table: str, columns: Sequence[str]) -> None:
    """Build an index on a table that is in use, as the only step of its revision.

    PostgreSQL builds it outside a transaction (``CONCURRENTLY``): what came before it in the
    revision would be committed even if it fails. A build that failed leaves an invalid index
    behind, which the next one takes away first. It waits for transactions that began before it,
    holding up nobody meanwhile, so neither wait has a limit here.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.drop_index(name, table, if_exists=True)
        op.create_index(name, table, columns)
        return
    with context.autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True)
        op.execute("RESET statement_timeout")
