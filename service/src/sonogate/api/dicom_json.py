"""The two answers of DICOMweb that the gate writes itself: DICOM JSON and its XML twin.

PS3.18 annex F and PS3.19 annex A; only the value representations that these answers need.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

JSON = "application/dicom+json"
XML = "application/dicom+xml"
KEYWORDS: Mapping[str, str] = {
    "00080016": "SOPClassUID",
    "00080018": "SOPInstanceUID",
    "00080056": "InstanceAvailability",
    "00080060": "Modality",
    "00081150": "ReferencedSOPClassUID",
    "00081155": "ReferencedSOPInstanceUID",
    "00081190": "RetrieveURL",
    "00081197": "FailureReason",
    "00081198": "FailedSOPSequence",
    "00081199": "ReferencedSOPSequence",
    "0020000D": "StudyInstanceUID",
    "0020000E": "SeriesInstanceUID",
    "00200013": "InstanceNumber",
    "00201209": "NumberOfSeriesRelatedInstances",
}

DataSet = dict[str, Any]


def element(vr: str, *values: object) -> DataSet:
    """Return one attribute; without values it is empty (type 2)."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def to_xml(ds: DataSet) -> str:
    """Return a data set as the Native DICOM Model (PS3.19 A.1)."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<NativeDicomModel xml:space="preserve" '
        f'xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">{_attributes(ds)}'
        "</NativeDicomModel>"
    )


def _attributes(ds: DataSet) -> str:
    return "".join(
        f"<DicomAttribute tag={quoteattr(tag)} vr={quoteattr(one['vr'])} "
        f"keyword={quoteattr(KEYWORDS[tag])}>{_values(one)}</DicomAttribute>"
        for tag, one in sorted(ds.items())
    )


def _values(one: DataSet) -> str:
    values: Sequence[Any] = one.get("Value", [])
    if one["vr"] == "SQ":
        return "".join(
            f'<Item number="{number}">{_attributes(item)}</Item>'
            for number, item in enumerate(values, 1)
        )
    return "".join(
        f'<Value number="{number}">{escape(str(value))}</Value>'
        for number, value in enumerate(values, 1)
    )
