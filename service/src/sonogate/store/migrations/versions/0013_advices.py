"""Advice of a vision-language model, beside verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "advices",
        sa.Column("object_id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(16)),
        sa.Column("adviser", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("seconds", sa.Float),
        sa.Column("body", sa.JSON),
        sa.PrimaryKeyConstraint("object_id", name="pk_advices"),
        sa.ForeignKeyConstraint(["object_id"], ["objects.object_id"], name="fk_advices_object_id"),
    )
    op.create_index("ix_advices_state_next_attempt_at", "advices", ["state", "next_attempt_at"])


def downgrade() -> None:
    """Drop it, and what was said with it."""
    op.drop_table("advices")
