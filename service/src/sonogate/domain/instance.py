"""What the listener kept, and what the reader learned from its header."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sonogate.domain.identity import AETitle, ObjectId, SeriesUID, SOPInstanceUID, StudyUID


class Transport(StrEnum):
    """The door an object came in by."""

    DIMSE = "dimse"
    REST = "rest"


class MediaType(StrEnum):
    """What kind of bytes an object is."""

    DICOM = "application/dicom"
    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"


def sniff(head: bytes) -> MediaType | None:
    """Recognise an object by its first bytes (132 suffice); None if it is none of ours."""
    if head[128:132] == b"DICM":
        return MediaType.DICOM
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaType.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return MediaType.JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaType.WEBP
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a file."""

    offset: int  #: bytes from the file's start
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who sent an object, as negotiated in its association."""

    calling_ae: AETitle  #: the sender; "REST" for the HTTP door
    called_ae: AETitle
    peer_address: str  #: IP address, no port
    transport: Transport
    received_at: datetime  #: last byte; aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedInstance:
    """One object as kept in the spool: a Part 10 file for DICOM, the bare file otherwise."""

    object_id: ObjectId
    media_type: MediaType
    sop_class_uid: (
        str | None
    )  #: affected SOP class of the C-STORE request (or file meta); None for a picture
    sop_instance_uid: SOPInstanceUID | None  #: likewise; None for a picture
    transfer_syntax_uid: str | None
    content_sha256: str  #: of the data set as received (for a picture: of the file), lower-case hex
    size_bytes: int
    spool_name: str  #: where the spool keeps it (`Spool.place_of`); never derived from a UID
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a received object."""

    object_id: ObjectId  #: of the object that counts: the earlier one for a duplicate
    duplicate: bool = False  #: same UID, same bytes: already kept, the new file may go
    conflict: bool = (
        False  #: same UID, other bytes: kept beside the earlier one, the latest is judged
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What `read.header` took from a data set. Holds no patient name, id or birth date."""

    sop_class_uid: str | None = None
    sop_instance_uid: SOPInstanceUID | None = None
    series_instance_uid: SeriesUID | None = None
    study_instance_uid: StudyUID | None = None
    accession_number: str | None = None
    acquired_at: datetime | None = (
        None  #: aware, UTC; from AcquisitionDateTime, else date + time attributes
    )
    modality: str | None = None
    manufacturer: str | None = None
    model_name: str | None = None
    station_name: str | None = None
    exam_type: str | None = (
        None  #: body part examined, else study description, upper case; None if empty
    )
    view: str | None = (
        None  #: view code "scheme:value", else its name or position as text; None if empty
    )
    laterality: str | None = None  #: the side shown: R, L, B (both) or U (unpaired); None if empty
    view_modifiers: str | None = (
        None  #: codes "scheme:value" that narrow view or region, sorted, joined by "+"; None: none
    )
    instance_number: int | None = None
    n_frames: int = 1
    transfer_syntax_uid: str | None = None
