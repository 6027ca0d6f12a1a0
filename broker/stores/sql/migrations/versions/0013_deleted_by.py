"""Accounts: who wants one deleted.

Revision 0013, after 0012. A broker of the version before neither reads nor writes it: of an account
that leaves through that one nobody is named, and its person is not told who it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("account") as table:
        table.add_column(sa.Column("delete_by", sa.String(16), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("account") as table:
        table.drop_column("delete_by")
