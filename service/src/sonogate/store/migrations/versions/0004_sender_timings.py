"""When each remembered delay was measured; delays without a time are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the column."""
    op.add_column("senders", sa.Column("timings", sa.JSON(), nullable=False, server_default="[]"))
    op.drop_column("senders", "delays_seconds")


def downgrade() -> None:
    """Bring the old column back, empty."""
    op.add_column(
        "senders", sa.Column("delays_seconds", sa.JSON(), nullable=False, server_default="[]")
    )
    op.drop_column("senders", "timings")
