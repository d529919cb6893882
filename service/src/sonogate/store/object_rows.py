"""Between rows of `objects` and the words of the field."""

from typing import Any

from sonogate.domain.identity import AETitle, ObjectId, SeriesUID, SOPInstanceUID, StudyUID
from sonogate.domain.instance import (
    Header,
    MediaType,
    Provenance,
    ReceivedInstance,
    Transport,
)
from sonogate.store.records import ObjectState, StoredObject

_LARGEST_COUNT = 2**53  # a header may claim any number; databases hold 64 bits


def to_row(instance: ReceivedInstance, *, is_conflict: bool) -> dict[str, object]:
    """Return the columns of an object as received; it waits, and is current."""
    provenance = instance.provenance
    return {
        "object_id": instance.object_id,
        "media_type": instance.media_type.value,
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid or "",
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "content_sha256": instance.content_sha256,
        "size_bytes": instance.size_bytes,
        "spool_name": instance.spool_name,
        "calling_ae": provenance.calling_ae,
        "called_ae": provenance.called_ae,
        "peer_address": provenance.peer_address,
        "transport": provenance.transport.value,
        "received_at": provenance.received_at,
        "state": ObjectState.WAITING.value,
        "attempts": 0,
        "is_conflict": is_conflict,
        "is_current": True,
    }


def to_received(row: Any) -> ReceivedInstance:
    """Build what the listener kept from a row of `objects`."""
    return ReceivedInstance(
        object_id=ObjectId(row.object_id),
        media_type=MediaType(row.media_type),
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid) if row.sop_instance_uid else None,
        transfer_syntax_uid=row.transfer_syntax_uid,
        content_sha256=row.content_sha256,
        size_bytes=row.size_bytes,
        spool_name=row.spool_name,
        provenance=Provenance(
            calling_ae=AETitle(row.calling_ae),
            called_ae=AETitle(row.called_ae),
            peer_address=row.peer_address,
            transport=Transport(row.transport),
            received_at=row.received_at,
        ),
    )


def to_stored(row: Any) -> StoredObject:
    """Build all that is known of an object from a row of `objects`."""
    return StoredObject(
        received=to_received(row),
        state=ObjectState(row.state),
        is_conflict=row.is_conflict,
        is_current=row.is_current,
        study_instance_uid=row.study_instance_uid,
        number=row.number,
        header=to_header(row),
        has_calipers=bool(row.has_calipers),
    )


def to_header(row: Any) -> Header:
    """Build what the header told from a row of `objects`."""
    return Header(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid) if row.sop_instance_uid else None,
        series_instance_uid=SeriesUID(row.series_instance_uid) if row.series_instance_uid else None,
        study_instance_uid=StudyUID(row.study_instance_uid) if row.study_instance_uid else None,
        accession_number=row.accession_number,
        acquired_at=row.acquired_at,
        modality=row.modality,
        manufacturer=row.manufacturer,
        model_name=row.model_name,
        station_name=row.station_name,
        exam_type=row.exam_type,
        view=row.view,
        laterality=row.laterality,
        view_modifiers=row.view_modifiers,
        instance_number=row.instance_number,
        n_frames=row.n_frames or 1,
        transfer_syntax_uid=row.transfer_syntax_uid,
    )


def header_columns(header: Header) -> dict[str, object]:
    """Return the columns that a header fills."""
    return {
        "series_instance_uid": header.series_instance_uid,
        "accession_number": header.accession_number,
        "acquired_at": header.acquired_at,
        "modality": header.modality,
        "manufacturer": header.manufacturer,
        "model_name": header.model_name,
        "station_name": header.station_name,
        "exam_type": header.exam_type,
        "view": header.view,
        "laterality": header.laterality,
        "view_modifiers": header.view_modifiers,
        "instance_number": _bounded(header.instance_number),
        "n_frames": _bounded(header.n_frames),
    }


def _bounded(count: int | None) -> int | None:
    return count if count is None or abs(count) < _LARGEST_COUNT else None
