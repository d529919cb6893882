"""Small data sets of requests and reports: read with a bound, written in a negotiated syntax."""

from io import BytesIO
from typing import Final

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue

from sonogate.errors import MalformedObjectError

MAX_ITEMS: Final = 16_384
"""Items of all sequences together; a mebibyte that names instances holds some 9,000."""
MAX_VALUES: Final = 16_384
"""Backslashes; steps and requests have a few. Each would become an object of its own."""
_ITEM: Final = {True: b"\xfe\xff\x00\xe0", False: b"\xff\xfe\xe0\x00"}
"""The item tag (FFFE,E000), by whether it is little endian."""

_IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
_EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"


def read_set(octets: bytes, transfer_syntax_uid: str) -> Dataset:
    """Read a whole data set.

    Raises:
        MalformedObjectError: It would become far more objects in memory than any honest one.
        Exception: Whatever pydicom raises on bytes that are none.
    """
    is_little = transfer_syntax_uid != _EXPLICIT_BIG
    if octets.count(_ITEM[is_little]) > MAX_ITEMS or octets.count(b"\\") > MAX_VALUES:
        raise MalformedObjectError("The data set has too many items or values.")
    return read_dataset(
        BytesIO(octets),
        is_implicit_VR=transfer_syntax_uid == _IMPLICIT_LITTLE,
        is_little_endian=is_little,
    )


def write_set(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    """Write a data set in a negotiated transfer syntax."""
    stream = DicomBytesIO()
    stream.is_implicit_VR = transfer_syntax_uid == _IMPLICIT_LITTLE
    stream.is_little_endian = transfer_syntax_uid != _EXPLICIT_BIG
    write_dataset(stream, data_set)
    return stream.getvalue()


def text_of(data_set: Dataset, keyword: str) -> str:
    """Return a value as text; empty if it is not there, has none, or is no plain value.

    A peer may call any element a sequence, and a deep one written out as text fills all memory.
    """
    value = data_set.get(keyword)
    is_plain = isinstance(value, (str, int, float, MultiValue))
    return str(value).strip(" \0") if is_plain else ""


def items_of(data_set: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none if it is not there or no sequence."""
    element = data_set.get(keyword)
    return [] if element is None or isinstance(element, (str, bytes)) else list(element)
