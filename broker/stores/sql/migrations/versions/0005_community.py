"""Identities: what was last read of a person's communities.

Revision 0005, after 0004. A broker of the version before neither reads nor writes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("identity") as table:
        table.add_column(sa.Column("community", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("identity") as table:
        table.drop_column("community")
