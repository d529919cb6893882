"""The first tables.

Written out, and never changed after a release: old databases meet the old words.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("object_id", sa.String(length=26), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("object_id", sa.String(length=26), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_object_id", "events", ["object_id"], unique=False)
    op.create_table(
        "senders",
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("n_objects", sa.BigInteger(), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delays_seconds", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("calling_ae", name="pk_senders"),
    )
    op.create_table(
        "studies",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("exam_type", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=8), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("n_instances", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_studies"),
    )
    op.create_index(
        "ix_studies_status_last_judged_at", "studies", ["status", "last_judged_at"], unique=False
    )
    op.create_index("ix_studies_last_received_at", "studies", ["last_received_at"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target_url", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=26), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_deliveries_event_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("idempotency_key", name="uq_deliveries_idempotency_key"),
    )
    op.create_index(
        ("ix_deliveries_delivered_at_target_url_lane_id"),
        "deliveries",
        ["delivered_at", "target_url", "lane", "id"],
        unique=False,
    )
    op.create_index("ix_deliveries_event_id", "deliveries", ["event_id"], unique=False)
    op.create_table(
        "objects",
        sa.Column("object_id", sa.String(length=26), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=True),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("spool_name", sa.Text(), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("called_ae", sa.Text(), nullable=False),
        sa.Column("peer_address", sa.Text(), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_conflict", sa.Boolean(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("pixels_gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("series_instance_uid", sa.Text(), nullable=True),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("model_name", sa.Text(), nullable=True),
        sa.Column("station_name", sa.Text(), nullable=True),
        sa.Column("exam_type", sa.Text(), nullable=True),
        sa.Column("view", sa.Text(), nullable=True),
        sa.Column("instance_number", sa.BigInteger(), nullable=True),
        sa.Column("n_frames", sa.BigInteger(), nullable=True),
        sa.Column("has_calipers", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name="fk_objects_study_instance_uid",
        ),
        sa.PrimaryKeyConstraint("object_id", name="pk_objects"),
        sa.UniqueConstraint(
            "sop_instance_uid",
            "content_sha256",
            name="uq_objects_sop_instance_uid_content_sha256",
        ),
        sa.UniqueConstraint(
            "study_instance_uid", "number", name="uq_objects_study_instance_uid_number"
        ),
    )
    op.create_index(
        ("ix_objects_state_calling_ae"), "objects", ["state", "calling_ae"], unique=False
    )
    op.create_index(
        ("ix_objects_state_received_at"), "objects", ["state", "received_at"], unique=False
    )
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("object_id", sa.String(length=26), nullable=False),
        sa.Column("other_id", sa.String(length=26), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["object_id"], ["objects.object_id"], name="fk_links_object_id"),
        sa.ForeignKeyConstraint(["other_id"], ["objects.object_id"], name="fk_links_other_id"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint(
            "kind", "object_id", "other_id", name="uq_links_kind_object_id_other_id"
        ),
    )
    op.create_index("ix_links_other_id_kind", "links", ["other_id", "kind"], unique=False)
    op.create_index(
        ("ix_links_study_instance_uid_kind"),
        "links",
        ["study_instance_uid", "kind"],
        unique=False,
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("object_id", sa.String(length=26), nullable=False),
        sa.Column("band", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["object_id"], ["objects.object_id"], name="fk_overrides_object_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_overrides"),
    )
    op.create_index("ix_overrides_object_id", "overrides", ["object_id"], unique=False)
    op.create_table(
        "pictures",
        sa.Column("object_id", sa.String(length=26), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=True),
        sa.Column("heatmap", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["object_id"], ["objects.object_id"], name="fk_pictures_object_id"),
        sa.PrimaryKeyConstraint("object_id", name="pk_pictures"),
    )
    op.create_table(
        "verdicts",
        sa.Column("object_id", sa.String(length=26), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("band", sa.String(length=8), nullable=True),
        sa.Column("effective_band", sa.String(length=8), nullable=True),
        sa.Column("quality", sa.Float(), nullable=True),
        sa.Column("verdict_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["objects.object_id"], name="fk_verdicts_object_id"),
        sa.PrimaryKeyConstraint("object_id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_verdict_at", "verdicts", ["verdict_at"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index("ix_verdicts_verdict_at", table_name="verdicts")
    op.drop_table("verdicts")
    op.drop_table("pictures")
    op.drop_index("ix_overrides_object_id", table_name="overrides")
    op.drop_table("overrides")
    op.drop_index("ix_links_study_instance_uid_kind", table_name="links")
    op.drop_index("ix_links_other_id_kind", table_name="links")
    op.drop_table("links")
    op.drop_index("ix_objects_state_received_at", table_name="objects")
    op.drop_index("ix_objects_state_calling_ae", table_name="objects")
    op.drop_table("objects")
    op.drop_index("ix_deliveries_event_id", table_name="deliveries")
    op.drop_index("ix_deliveries_delivered_at_target_url_lane_id", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("ix_studies_last_received_at", table_name="studies")
    op.drop_index("ix_studies_status_last_judged_at", table_name="studies")
    op.drop_table("studies")
    op.drop_table("senders")
    op.drop_index("ix_events_object_id", table_name="events")
    op.drop_table("events")
    op.drop_table("audit")
