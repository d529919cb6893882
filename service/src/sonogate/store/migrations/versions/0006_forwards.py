"""What is owed to archives, and which of them are rested from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables; what was kept before is owed to nobody."""
    op.create_table(
        "forwards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("destination", sa.String(32), nullable=False),
        sa.Column("object_id", sa.String(26)),
        sa.Column("result_id", sa.String(26)),
        sa.Column("result", sa.JSON()),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True)),
        sa.Column("release", sa.String(12)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(32)),
        sa.ForeignKeyConstraint(["object_id"], ["objects.object_id"], name="fk_forwards_object_id"),
        sa.PrimaryKeyConstraint("id", name="pk_forwards"),
        sa.UniqueConstraint("object_id", "destination", name="uq_forwards_object_id_destination"),
        sa.UniqueConstraint("result_id", "destination", name="uq_forwards_result_id_destination"),
    )
    op.create_index(
        "ix_forwards_destination_state_lane_id",
        "forwards",
        ["destination", "state", "lane", "id"],
    )
    op.create_index("ix_forwards_state_hold_until", "forwards", ["state", "hold_until"])
    op.create_table(
        "breakers",
        sa.Column("destination", sa.String(32), nullable=False),
        sa.Column("n_failed", sa.Integer(), nullable=False),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_breakers"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_table("breakers")
    op.drop_table("forwards")
