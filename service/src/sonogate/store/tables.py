"""The tables, as SQLAlchemy Core; how they came to be is told by `migrations`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from sonogate.store.columns import CountingId, Text, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

objects = Table(
    "objects",
    metadata,
    Column("object_id", String(26), primary_key=True),
    Column("media_type", String(32), nullable=False),
    Column("sop_class_uid", Text),
    Column("sop_instance_uid", Text, nullable=False),  # "" for a plain picture
    Column("transfer_syntax_uid", Text),
    Column("content_sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("spool_name", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("called_ae", Text, nullable=False),
    Column("peer_address", Text, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(8), nullable=False),  # waiting | claimed | judged
    Column("claimed_by", Text),
    Column("claimed_at", UtcDateTime),
    Column("lease_until", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("is_conflict", Boolean, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("pixels_gone_at", UtcDateTime),
    Column("study_instance_uid", Text, ForeignKey("studies.study_instance_uid")),
    Column("number", Integer),
    Column("series_instance_uid", Text),
    Column("accession_number", Text),
    Column("acquired_at", UtcDateTime),
    Column("modality", Text),
    Column("manufacturer", Text),
    Column("model_name", Text),
    Column("station_name", Text),
    Column("exam_type", Text),
    Column("view", Text),
    Column("laterality", Text),
    Column("view_modifiers", Text),
    Column("instance_number", BigInteger),
    Column("n_frames", BigInteger),
    Column("has_calipers", Boolean),
    UniqueConstraint("sop_instance_uid", "content_sha256"),
    UniqueConstraint("study_instance_uid", "number"),
    Index(None, "state", "received_at"),
    Index(None, "state", "calling_ae"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("object_id", String(26), ForeignKey("objects.object_id"), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("band", String(8)),
    Column("effective_band", String(16)),  # after a person's override, who may say not_applicable
    Column("doubt", String(32)),  # what it may be in place of an image, as judged
    Column("quality", Float),
    Column("verdict_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
    Index(None, "verdict_at"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("object_id", String(26), ForeignKey("objects.object_id"), primary_key=True),
    Column("thumbnail", LargeBinary),
    Column("heatmap", LargeBinary),
    Column("fingerprint", LargeBinary),
)

studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("accession_number", Text),
    Column("calling_ae", Text, nullable=False),
    Column("exam_type", Text),
    Column("status", String(16), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("last_judged_at", UtcDateTime, nullable=False),  # quiet is counted from here
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(8)),
    Column("reopened", Integer, nullable=False),
    Column("n_instances", Integer, nullable=False),
    Column("told_pending", Integer, nullable=False),  # as last told
    Index(None, "status", "last_judged_at"),
    Index(None, "last_received_at"),
    Index(None, "told_pending"),
)

links = Table(
    "links",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("kind", String(12), nullable=False),  # supersedes | twin | question
    Column("object_id", String(26), ForeignKey("objects.object_id"), nullable=False),
    Column("other_id", String(26), ForeignKey("objects.object_id"), nullable=False),
    Column("study_instance_uid", Text, nullable=False),
    Column("similarity", Float),
    Column("decided_by", Text),  # view | similarity | calipers | a person's name; none: still open
    Column("decided_at", UtcDateTime),
    Column("answer", String(12)),  # yes | no | withdrawn
    UniqueConstraint("kind", "object_id", "other_id"),
    Index(None, "study_instance_uid", "kind"),
    Index(None, "other_id", "kind"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("object_id", String(26), ForeignKey("objects.object_id"), nullable=False),
    Column("band", String(16), nullable=False),  # or not_applicable
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", Text),
    Index(None, "object_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(12), nullable=False),  # verdict | study | override | question | advice
    Column("study_instance_uid", Text),
    Column("object_id", String(26)),
    Column("body", JSON, nullable=False),
    Index(None, "object_id"),
    sqlite_autoincrement=True,  # an id, once seen by a reader, is never given again
)

pruned_events = Table(
    "pruned_events",
    metadata,
    Column("up_to_id", CountingId, primary_key=True, autoincrement=False),  # one row, or none
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("event_id", CountingId, ForeignKey("events.id"), nullable=False),
    Column("target_url", Text, nullable=False),
    Column("lane", Text, nullable=False),  # study, else object: told in order within it
    Column("idempotency_key", String(26), nullable=False, unique=True),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Index(None, "delivered_at", "target_url", "lane", "id"),
    Index(None, "event_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("study_instance_uid", Text),
    Column("object_id", String(26)),
    Column("body", JSON, nullable=False),
    Index(None, "action", "id"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

audit_positions = Table(
    "audit_positions",
    metadata,
    Column("repository", String(32), primary_key=True),  # its name in the settings
    Column("entry_id", BigInteger, nullable=False),  # it has everything up to this one
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", CountingId, primary_key=True),  # in the order of applying
    Column("calibration", String(12), nullable=False),  # the first of its file's SHA-256
    Column("content", Text, nullable=False),  # the file
    Column("exam_type", Text),
    Column("view", Text),
    Column("applied_at", UtcDateTime, nullable=False),
    Column("applied_by", Text, nullable=False),
    Column("ended_at", UtcDateTime),  # revoked, or another one of its scope came
    Column("ended_by", Text),
    sqlite_autoincrement=True,
)

senders = Table(
    "senders",
    metadata,
    Column("calling_ae", Text, primary_key=True),
    Column("n_objects", BigInteger, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("timings", JSON, nullable=False),  # [received, received minus acquired], newest last
)

forwards = Table(
    "forwards",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("destination", String(32), nullable=False),
    Column("object_id", String(26), ForeignKey("objects.object_id")),  # or result_id
    Column("result_id", String(26)),
    Column("result", JSON),  # where a result's file is, and its UIDs
    Column("lane", Text, nullable=False),  # the study, else the object: sent in order within it
    Column("state", String(8), nullable=False),  # held | owed | done | refused | dropped
    Column("hold_until", UtcDateTime),  # held: goes then at the latest
    Column("release", String(12)),  # what let a held one go
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),  # done, refused or dropped
    Column("reason", String(32)),  # of the last answer
    UniqueConstraint("object_id", "destination"),
    UniqueConstraint("result_id", "destination"),
    Index(None, "destination", "state", "lane", "id"),
    Index(None, "state", "hold_until"),
)

breakers = Table(
    "breakers",
    metadata,
    Column("destination", String(32), primary_key=True),
    Column("n_failed", Integer, nullable=False),
    Column("rest_until", UtcDateTime, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("reason", String(32), nullable=False),
)
