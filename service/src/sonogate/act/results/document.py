"""What every document of ours shares: its names, its times, its equipment, its bytes.

A result's UID is made from all its other bytes, so that one UID never names two contents, and what
is written twice is one.
"""

import hashlib
import io
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
)
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian

from sonogate import __version__
from sonogate.act.results.codes import SCHEME, Code, OwnCode
from sonogate.act.results.facts import ImageFacts, Order, Written
from sonogate.act.results.origin import OPTIONAL

IMPLEMENTATION_CLASS_UID: Final = "2.25.148149284309904263228779739761103963813"
"""As the receiver writes it (`receive.part10`)."""
UNNAMED: Final = "2.25.0"
"""Stands for the UID while the content is hashed."""
MANUFACTURER: Final = "SonoGate"


def uid_of(*parts: str) -> str:
    """Return a UUID-derived UID (PS3.5 B.2) that is equal for equal parts."""
    made = uuid.uuid5(uuid.NAMESPACE_OID, "\n".join((IMPLEMENTATION_CLASS_UID, *parts)))
    return f"2.25.{made.int}"


def concept(code: Code | OwnCode) -> CodedConcept:
    """Return a code as highdicom writes it; never with a scheme version."""
    plain = code.code if isinstance(code, OwnCode) else code
    return CodedConcept(plain.value, plain.scheme, plain.meaning)


def evidence_of(origin: Dataset, images: Sequence[ImageFacts]) -> list[Dataset]:
    """Return each image as a data set that is referenced: its names, and whose it is."""
    return [_evidence(origin, image) for image in images]


def _evidence(origin: Dataset, image: ImageFacts) -> Dataset:
    ds = Dataset()
    ds.update(origin)
    ds.SOPClassUID, ds.SOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
    ds.SeriesInstanceUID = image.series_instance_uid
    ds.Rows = ds.Columns = 1  # tells highdicom that it is an image; never written
    if image.n_frames > 1:
        ds.NumberOfFrames = image.n_frames
    return ds


def device(order: Order) -> ObserverContext:
    """Return the gate as an observer (TID 1004)."""
    return ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=uid_of("device", order.device),
            name=order.device,
            manufacturer_name=MANUFACTURER,
            model_name=MANUFACTURER,
        ),
    )


def person(name: str) -> ObserverContext:
    """Return a person as an observer (TID 1003), under the name the person gave."""
    plain = "".join(" " if each in "\\^=" or not each.isprintable() else each for each in name)
    family_name = plain.strip()[:60] or "unknown"
    return ObserverContext(
        codes.DCM.Person, PersonObserverIdentifyingAttributes(name=f"{family_name}^")
    )


def shared_values(order: Order, description: str) -> dict[str, Any]:
    """Return what every document's constructor is given."""
    return {
        "series_instance_uid": uid_of("series", order.kind, order.facts.study_instance_uid),
        "series_number": order.series_number,
        "sop_instance_uid": UNNAMED,
        "instance_number": order.version,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MANUFACTURER,
        "software_versions": __version__,
        "device_serial_number": order.device,
        "series_description": description,
        "specific_character_set": "ISO_IR 192",
    }


def own_scheme() -> list[CodingSchemeIdentificationItem]:
    """Name the private scheme, for a document that uses it (PS3.3 C.12.1.1.7)."""
    return [CodingSchemeIdentificationItem(designator=SCHEME, name="SonoGate ultrasound quality")]


def written(document: Dataset, origin: Dataset, order: Order) -> Written:
    """Finish a document: its times, its name from its bytes, its file."""
    said_at = order.said_at.astimezone()
    for name in OPTIONAL:
        if name in origin:
            setattr(document, name, getattr(origin, name))
    if "TimezoneOffsetFromUTC" in origin:
        zone = datetime.strptime(str(origin.TimezoneOffsetFromUTC), "%z").tzinfo
        said_at = order.said_at.astimezone(zone)
    document.ContentDate = document.InstanceCreationDate = said_at.strftime("%Y%m%d")
    document.ContentTime = document.InstanceCreationTime = said_at.strftime("%H%M%S.%f")
    for equipment in document.get("ContributingEquipmentSequence", []):
        del equipment.ContributionDateTime  # the moment of writing says nothing, and differs
    document.SOPInstanceUID = UID(UNNAMED)
    uid = uid_of(hashlib.sha256(_part10(document)).hexdigest())
    document.SOPInstanceUID = UID(uid)
    return Written(
        sop_class_uid=str(document.SOPClassUID),
        sop_instance_uid=uid,
        series_instance_uid=str(document.SeriesInstanceUID),
        part10=_part10(document),
    )


def _part10(document: Dataset) -> bytes:
    """Return the file: zero preamble, our own file meta, explicit VR little endian."""
    plain = Dataset()
    plain.update(document)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "SONOGATE"
    plain.file_meta = meta
    out = io.BytesIO()
    plain.save_as(out, enforce_file_format=True)
    return out.getvalue()
