"""Clients and APIs: a place for the metadata that no query asks for.

Revision 0004, after 0003. A broker of the version before neither reads nor writes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column to both tables."""
    for name in ("client", "api"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("more", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    for name in ("client", "api"):
        with op.batch_alter_table(name) as table:
            table.drop_column("more")
