"""Names that are not just strings."""

from typing import NewType

from ulid import ULID

ObjectId = NewType("ObjectId", str)
"""Our own name of one kept object (a ULID): sorts by time of receipt, safe in a path and a log."""

StudyUID = NewType("StudyUID", str)
SeriesUID = NewType("SeriesUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
AETitle = NewType("AETitle", str)


def new_object_id() -> ObjectId:
    """Make a fresh object id."""
    return ObjectId(str(ULID()))
