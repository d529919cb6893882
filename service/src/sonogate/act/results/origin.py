"""Whose study it is: the patient's and the study's attributes, copied from a stored object.

They are read when a result is written and go nowhere else: not into the database, a log or a
metric.
"""

import io
import re
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from sonogate.act.results.facts import Place

HEAD_BYTES: Final = 4 * 1024 * 1024
"""So much of an object is looked at; the patient's group comes long before the pixels."""
LAST_GROUP: Final = 0x0020
"""Nothing after this group is read: the pixels never are."""

REQUIRED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2: written empty where the object has none (PS3.3 C.7.1.1, C.7.2.1)."""
OPTIONAL: Final = (
    "IssuerOfPatientID",
    "StudyDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
)
"""Type 3: copied where they are."""
_DATE: Final = re.compile(r"[12]\d{3}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_TIME: Final = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?")
FORMS: Final = {
    "PatientSex": re.compile("[MFO]"),
    "PatientBirthDate": _DATE,
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "PatientAge": re.compile(r"\d{3}[DWMY]"),
    "PatientSize": re.compile(r"\d+(?:\.\d+)?"),
    "PatientWeight": re.compile(r"\d+(?:\.\d+)?"),
    "TimezoneOffsetFromUTC": re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d"),
}
"""What a value must look like to be copied; others are free text (PS3.5 section 6.2)."""


class NoSourceError(Exception):
    """No object of the study is left from which the patient could be read."""


def read_origin(places: Iterable[Place], study_instance_uid: str) -> Dataset:
    """Return patient and study attributes of the first readable object, as Unicode.

    Raises:
        NoSourceError: none could be read, or none is of this study.
    """
    for place in places:
        try:
            found = _read(place)
        except (OSError, ValueError, KeyError, EOFError, RecursionError, NotImplementedError):
            continue
        except MemoryError:
            continue  # a deflated object that is a bomb
        except (InvalidDicomError, BytesLengthException, AttributeError, TypeError, zlib.error):
            continue  # what a sender can put into a header that pydicom does not expect
        if found.get("StudyInstanceUID") == study_instance_uid:
            return found
    raise NoSourceError


def _read(place: Place) -> Dataset:
    with Path(place.path).open("rb") as stream:
        stream.seek(place.offset)
        head = stream.read(min(HEAD_BYTES, place.size_bytes or HEAD_BYTES))
    wanted = [tag_for_keyword(name) or 0 for name in (*REQUIRED, *OPTIONAL, "StudyInstanceUID")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_partial(io.BytesIO(head), _is_past, force=True, specific_tags=wanted)
        read.decode()
    return _copied(read)


def _is_past(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group > LAST_GROUP


def _copied(read: Dataset) -> Dataset:
    """Return a fresh data set of single, plain values."""
    copy = Dataset()
    copy.StudyInstanceUID = str(read.get("StudyInstanceUID") or "")
    for name in REQUIRED:
        setattr(copy, name, _plain(name, read.get(name)))
    for name in OPTIONAL:
        if value := _plain(name, read.get(name)):
            setattr(copy, name, value)
    return copy


def _plain(name: str, value: object) -> str:
    """Return a value as one text; what can't be written again is left empty."""
    text = "" if value is None else str(value).replace("\\", " ").strip()
    form = FORMS.get(name)
    return text if form is None or form.fullmatch(text) else ""
