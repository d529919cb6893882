"""Results in the standard's words: what was made, what is asked for, and what people rejected."""

import sqlalchemy as sa
from alembic import op

from sonogate.store.columns import CountingId, Text, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; what was judged before has no results until its study changes."""
    op.create_table(
        "results",
        sa.Column("sop_instance_uid", Text, primary_key=True),
        sa.Column("result_id", sa.String(26), nullable=False),
        sa.Column("study_instance_uid", Text, nullable=False),
        sa.Column("series_instance_uid", Text, nullable=False),
        sa.Column("sop_class_uid", Text, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("object_id", sa.String(26), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("facts_sha256", sa.String(64), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_name", Text, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("bytes_gone_at", UtcDateTime),
        sa.UniqueConstraint(
            "study_instance_uid",
            "kind",
            "object_id",
            "version",
            name="uq_results_study_instance_uid_kind_object_id_version",
        ),
    )
    op.create_index("ix_results_made_at", "results", ["made_at"])
    op.create_table(
        "owed_results",
        sa.Column("study_instance_uid", Text, primary_key=True),
        sa.Column("n_asked", sa.Integer, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_owed_results_next_attempt_at", "owed_results", ["next_attempt_at"])
    op.create_table(
        "rejections",
        sa.Column("id", CountingId, primary_key=True),
        sa.Column(
            "object_id",
            sa.String(26),
            sa.ForeignKey("objects.object_id", name="fk_rejections_object_id"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("by", Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", Text),
    )
    op.create_index("ix_rejections_object_id", "rejections", ["object_id"])
    op.create_table(
        "rejection_calls",
        sa.Column("id", CountingId, primary_key=True),
        sa.Column("object_id", sa.String(26), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("study_instance_uid", Text, nullable=False),
        sa.Column("series_instance_uid", Text, nullable=False),
        sa.Column("sop_instance_uid", Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("next_attempt_at", UtcDateTime, nullable=False),
        sa.Column("done_at", UtcDateTime),
        sa.Column("outcome", sa.String(12)),
    )
    op.create_index(
        "ix_rejection_calls_done_at_next_attempt_at",
        "rejection_calls",
        ["done_at", "next_attempt_at"],
    )
    op.create_index("ix_rejection_calls_object_id", "rejection_calls", ["object_id"])


def downgrade() -> None:
    """Drop them; the files of the results stay."""
    op.drop_table("rejection_calls")
    op.drop_table("rejections")
    op.drop_table("owed_results")
    op.drop_table("results")
