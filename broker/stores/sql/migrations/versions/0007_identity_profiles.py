"""Identities: the profile that each tells, for the day when it is the account's.

Revision 0007, after 0006. A broker of the version before neither reads nor writes it; an identity
that it made has none until it signs in again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("identity") as table:
        table.add_column(sa.Column("profile", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("identity") as table:
        table.drop_column("profile")
