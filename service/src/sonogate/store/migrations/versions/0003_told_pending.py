"""How many unread objects each study was last told to wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column(
        "studies", sa.Column("told_pending", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_index("ix_studies_told_pending", "studies", ["told_pending"])


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_studies_told_pending", "studies")
    op.drop_column("studies", "told_pending")
