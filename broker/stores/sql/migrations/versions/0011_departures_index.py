"""Accounts: those that will be deleted, found by the time.

Revision 0011, after 0010. A broker of the version before finds them without it, only slower.
"""

from alembic import op

from broker.stores.sql.migrations.beside import add_index

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    add_index("ix_account_delete_at", "account", ["delete_at"])


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_account_delete_at", "account")
