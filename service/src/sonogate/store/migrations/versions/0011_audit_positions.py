"""How far the audit trail has been sent to each repository."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "audit_positions",
        sa.Column("repository", sa.String(length=32), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_audit_positions")),
    )


def downgrade() -> None:
    """Drop it; what was sent already will be sent again."""
    op.drop_table("audit_positions")
