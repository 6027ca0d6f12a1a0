"""Signing keys that only verify.

Revision 0002, after 0001. A broker of the version before reads and writes the table as it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the moment until which a key verifies."""
    with op.batch_alter_table("signing_key") as table:
        table.add_column(sa.Column("verifies_until", sa.Double(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("signing_key") as table:
        table.drop_column("verifies_until")
