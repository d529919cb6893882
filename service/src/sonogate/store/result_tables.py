"""The tables of results: what was made, what is asked for, what people rejected."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from sonogate.store.columns import CountingId, Text, UtcDateTime
from sonogate.store.tables import metadata

results = Table(
    "results",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("result_id", String(26), nullable=False),  # as `forwards` owes it
    Column("study_instance_uid", Text, nullable=False),
    Column("series_instance_uid", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("kind", String(12), nullable=False),  # report | advice | rejection
    Column("object_id", String(26), nullable=False),  # the rejected object; "" of a study
    Column("version", Integer, nullable=False),
    Column("facts_sha256", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),  # of the file
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # superseded, or no longer true
    Column("bytes_gone_at", UtcDateTime),
    UniqueConstraint("study_instance_uid", "kind", "object_id", "version"),
    Index(None, "made_at"),
)

owed_results = Table(
    "owed_results",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("n_asked", Integer, nullable=False),  # a change meanwhile asks again
    Column("asked_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Index(None, "next_attempt_at"),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("object_id", String(26), ForeignKey("objects.object_id"), nullable=False),
    Column("reason", String(16), nullable=False),  # CID 7011
    Column("by", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", Text),
    Index(None, "object_id"),
)

rejection_calls = Table(
    "rejection_calls",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("object_id", String(26), nullable=False),
    Column("action", String(8), nullable=False),  # reject | revoke
    Column("study_instance_uid", Text, nullable=False),
    Column("series_instance_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("outcome", String(12)),  # done | withdrawn
    Index(None, "done_at", "next_attempt_at"),
    Index(None, "object_id"),
)
