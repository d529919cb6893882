"""Small data sets of requests and reports: read with a bound, written in a negotiated syntax."""

from io import BytesIO
from typing import Final

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

_IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
_EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"


def read_set(octets: bytes, transfer_syntax_uid: str) -> Dataset:
    """Read a whole data set.

    Raises:
        Exception: Whatever pydicom raises on bytes that are none.
    """
    return read_dataset(
        BytesIO(octets),
        is_implicit_VR=transfer_syntax_uid == _IMPLICIT_LITTLE,
        is_little_endian=transfer_syntax_uid != _EXPLICIT_BIG,
    )


def write_set(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    """Write a data set in a negotiated transfer syntax."""
    stream = DicomBytesIO()
    stream.is_implicit_VR = transfer_syntax_uid == _IMPLICIT_LITTLE
    stream.is_little_endian = transfer_syntax_uid != _EXPLICIT_BIG
    write_dataset(stream, data_set)
    return stream.getvalue()


def text_of(data_set: Dataset, keyword: str) -> str:
    """Return a value as text; empty if it is not there or has none."""
    value = data_set.get(keyword)
    return "" if value is None else str(value).strip(" \0")


def items_of(data_set: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none if it is not there or no sequence."""
    element = data_set.get(keyword)
    return [] if element is None or isinstance(element, (str, bytes)) else list(element)
