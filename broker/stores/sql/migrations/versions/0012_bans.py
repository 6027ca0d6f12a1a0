"""Bans: what is left of an account that was switched off, and deleted since.

Revision 0012, after 0011. A broker of the version before neither reads nor writes it: through that
one a banned person who was deleted comes in as somebody new, and whom it deletes leaves no ban.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ban",
        sa.Column("upstream", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("kept_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("upstream", "subject"),
    )
    op.create_index("ix_ban_account_id", "ban", ["account_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ban")
