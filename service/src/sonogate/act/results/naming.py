"""Which objects a result can speak of."""

import re

from sonogate.domain.instance import MediaType
from sonogate.domain.verdict import Status
from sonogate.store.records import InstanceRow, StoredObject

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
"""PS3.5 9.1; an image under another name can't be referenced by a valid document."""


def is_judged_image(row: InstanceRow, found: StoredObject) -> bool:
    """Whether there is something to say: a current DICOM image with or without a quality."""
    return (
        row.is_current
        and found.received.media_type is MediaType.DICOM
        and row.verdict.status in {Status.GRADED, Status.UNSCORABLE}
    )


def is_named(found: StoredObject) -> bool:
    """Whether all its UIDs are UIDs."""
    uids = (
        found.received.sop_class_uid,
        found.received.sop_instance_uid,
        found.header.series_instance_uid,
        found.study_instance_uid,
    )
    return all(uid and len(uid) <= 64 and _UID.fullmatch(uid) for uid in uids)
