"""The tables of what carts say beside their objects: exam steps, and requests for commitment."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from sonogate.store.columns import CountingId, Text, UtcDateTime
from sonogate.store.tables import metadata

procedure_steps = Table(
    "procedure_steps",
    metadata,
    Column("step_uid", Text, primary_key=True),
    Column("status", String(16), nullable=False),  # IN PROGRESS | COMPLETED | DISCONTINUED
    Column("calling_ae", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("said", JSON, nullable=False),  # attributes of a final step that have a value
    Column("created_sha256", String(64), nullable=False),  # of the N-CREATE
    Column("last_sha256", String(64), nullable=False),  # of the last message taken
    Column("is_spent", Boolean, nullable=False),  # it has closed its studies
    Index(None, "status", "is_spent"),
)

step_studies = Table(
    "step_studies",
    metadata,
    Column("step_uid", Text, ForeignKey("procedure_steps.step_uid"), primary_key=True),
    Column("study_instance_uid", Text, primary_key=True),
    Index(None, "study_instance_uid"),
)

step_references = Table(
    "step_references",
    metadata,
    Column("step_uid", Text, ForeignKey("procedure_steps.step_uid"), primary_key=True),
    Column("sop_instance_uid", Text, primary_key=True),
)

step_messages = Table(
    "step_messages",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("server", String(32), nullable=False),  # its name in the settings
    Column("step_uid", Text, nullable=False),
    Column("is_create", Boolean, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("data_set", LargeBinary, nullable=False),  # patient data; gone once forwarded
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Index(None, "server", "step_uid", "id"),
    sqlite_autoincrement=True,
)

commitments = Table(
    "commitments",
    metadata,
    Column("id", CountingId, primary_key=True),
    Column("transaction_uid", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("called_ae", Text, nullable=False),
    Column("peer_address", Text, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("state", String(8), nullable=False),  # waiting | decided | reported | given_up
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    UniqueConstraint("calling_ae", "transaction_uid"),
    Index(None, "state", "next_attempt_at"),
)

commitment_items = Table(
    "commitment_items",
    metadata,
    Column("commitment_id", CountingId, ForeignKey("commitments.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sop_class_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("failure_reason", Integer),  # once decided; none: committed
    Index(None, "sop_instance_uid"),
)
