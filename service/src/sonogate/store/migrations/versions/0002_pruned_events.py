"""Where the journal begins, since old events go."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of one row."""
    op.create_table(
        "pruned_events",
        sa.Column(
            "up_to_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("up_to_id", name="pk_pruned_events"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("pruned_events")
