"""Accounts: when one will be deleted.

Revision 0010, after 0009. A broker of the version before neither reads nor writes it: it would let
somebody sign in again who has asked for that, and the account would be deleted all the same.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("account") as table:
        table.add_column(sa.Column("delete_at", sa.Double(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("account") as table:
        table.drop_column("delete_at")
