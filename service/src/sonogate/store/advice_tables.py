"""The table of advice: at most one remark for each object, beside its verdict."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table

from sonogate.store.columns import Text, UtcDateTime
from sonogate.store.tables import metadata

advices = Table(
    "advices",
    metadata,
    Column("object_id", String(26), ForeignKey("objects.object_id"), primary_key=True),
    Column("state", String(8), nullable=False),  # asking | waiting | given | none
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),  # asking: when the claim ends
    Column("settled_at", UtcDateTime),  # given or none
    Column("reason", String(16)),  # of the last attempt, if it gave none
    Column("adviser", Text),
    Column("model", Text),
    Column("seconds", Float),
    Column("body", JSON(none_as_null=True)),  # the remark, and whether it agrees
    Index(None, "state", "next_attempt_at"),
)
