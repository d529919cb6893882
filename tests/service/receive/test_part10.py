"""The file's envelope is what pydicom reads, and any file's names are found without trusting it."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from sonogate.errors import MalformedObjectError
from sonogate.receive.part10 import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PREAMBLE,
    file_meta,
    read_head,
)
from tests.service.receive.door import US_IMAGE

SYNTAXES = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]


def written_file(syntax: str, *, meta_uid: str = "1.2.3", own_uid: str | None = "1.2.3") -> bytes:
    """A Part 10 file with the given UIDs."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    if own_uid is not None:
        ds.SOPClassUID = US_IMAGE
        ds.SOPInstanceUID = own_uid
    ds.StudyDate = "20260101"
    ds.PatientName = "A^B"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(US_IMAGE)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(meta_uid)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("ae", ["A", "CART_ONE", "SIXTEEN_CHARS_AE"])
@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34", "1" * 64])
def test_our_file_meta_is_read_by_pydicom(ae: str, uid: str) -> None:
    """Odd and even lengths are padded; the group length is right; the preamble is zeros."""
    envelope = file_meta(
        sop_class_uid=US_IMAGE,
        sop_instance_uid=uid,
        transfer_syntax_uid=IMPLICIT_LITTLE,
        source_ae=ae,
    )
    meta = dcmread(BytesIO(envelope)).file_meta

    assert PREAMBLE == envelope[:128] == bytes(128)
    assert (US_IMAGE, uid, ae) == (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        meta.SourceApplicationEntityTitle,
    )
    assert len(envelope) - 144 == meta.FileMetaInformationGroupLength


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_data_sets_own_uid_counts(syntax: str) -> None:
    """A C-STORE of the file would carry it, so both doors name the object alike."""
    head = read_head(written_file(syntax, meta_uid="1.9", own_uid="1.2.3"))

    assert ("1.2.3", US_IMAGE, syntax) == (
        head.sop_instance_uid,
        head.sop_class_uid,
        head.transfer_syntax_uid,
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_file_metas_uid_stands_in(syntax: str) -> None:
    """A data set without a UID is named by its file meta."""
    assert read_head(written_file(syntax, meta_uid="1.9", own_uid=None)).sop_instance_uid == "1.9"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_data_set_starts_where_pydicom_says(syntax: str) -> None:
    """What is hashed and kept is the data set, to the byte."""
    octets = written_file(syntax)
    head = read_head(octets)
    length = dcmread(BytesIO(octets)).file_meta.FileMetaInformationGroupLength

    assert 144 + length == head.data_set_offset


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
def test_a_bare_data_set_is_understood(syntax: str) -> None:
    """Without preamble and file meta the syntax is guessed from the first element."""
    octets = written_file(syntax)
    head = read_head(octets[read_head(octets).data_set_offset :])

    assert ("1.2.3", syntax, 0) == (
        head.sop_instance_uid,
        head.transfer_syntax_uid,
        head.data_set_offset,
    )


@pytest.mark.parametrize("octets", [b"", b"\x89PNG\r\n\x1a\n" + bytes(200), bytes(132) + b"DICM"])
def test_what_is_no_object_is_refused(octets: bytes) -> None:
    """A picture, nothing and an empty envelope are no DICOM objects."""
    with pytest.raises(MalformedObjectError):
        read_head(octets)


@given(st.binary(max_size=400), st.sampled_from([b"", bytes(128) + b"DICM"]))
def test_no_bytes_do_worse_than_being_refused(octets: bytes, prefix: bytes) -> None:
    """Random bytes are named or refused; nothing else escapes."""
    try:
        head = read_head(prefix + octets)
    except MalformedObjectError:
        return
    assert head.data_set_offset <= len(prefix + octets)


@given(st.data())
def test_a_damaged_file_does_no_worse(data: st.DataObject) -> None:
    """A real file with bytes changed or cut off is named or refused."""
    octets = bytearray(written_file(data.draw(st.sampled_from(SYNTAXES))))
    for _ in range(data.draw(st.integers(1, 8))):
        octets[data.draw(st.integers(128, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_head(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    except MalformedObjectError:
        return
