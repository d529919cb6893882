"""Between rows of `forwards` and its records."""

from typing import Any

from sonogate.store.forward_records import (
    Forward,
    ForwardState,
    MadeResult,
    Release,
    Standing,
)
from sonogate.store.object_rows import to_received


def to_result_column(result: MadeResult) -> dict[str, str]:
    """Return what the row keeps of a result."""
    return {
        "file_name": result.file_name,
        "sop_class_uid": result.sop_class_uid,
        "sop_instance_uid": result.sop_instance_uid,
        "transfer_syntax_uid": result.transfer_syntax_uid,
        "study_instance_uid": result.study_instance_uid,
    }


def to_forward(row: Any) -> Forward:
    """Build an item from a row of `objects` joined by the columns of `forwards`, prefixed."""
    return Forward(
        id=row.forward_id,
        destination=row.forward_destination,
        lane=row.forward_lane,
        attempts=row.forward_attempts,
        created_at=row.forward_created_at,
        received=to_received(row) if row.forward_object_id else None,
        result=(
            MadeResult(result_id=row.forward_result_id, **row.forward_result)
            if row.forward_result_id
            else None
        ),
    )


def to_standing(row: Any) -> Standing:
    """Build where an item stands from a row of `forwards`."""
    return Standing(
        destination=row.destination,
        state=ForwardState(row.state),
        reason=row.reason,
        settled_at=row.settled_at,
        hold_until=row.hold_until,
        release=Release(row.release) if row.release else None,
    )
