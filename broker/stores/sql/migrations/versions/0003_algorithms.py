"""Signature algorithms: one for each client's ID tokens, one for each API's access tokens.

Revision 0003, after 0002. A broker of the version before registers clients as it did: theirs is
RS256.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the clients' algorithm, and the table of APIs."""
    with op.batch_alter_table("client") as table:
        table.add_column(
            sa.Column(
                "id_token_signed_response_alg",
                sa.String(length=16),
                server_default="RS256",
                nullable=False,
            )
        )
    op.create_table(
        "api",
        sa.Column("identifier", sa.String(length=2000), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "access_token_signed_response_alg",
            sa.String(length=16),
            server_default="RS256",
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("identifier"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("api")
    with op.batch_alter_table("client") as table:
        table.drop_column("id_token_signed_response_alg")
