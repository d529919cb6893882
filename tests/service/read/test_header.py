"""What is taken from a header, what never is, and how far a broken one is read."""

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from sonogate.domain.instance import MediaType
from sonogate.errors import EmptyPixelDataError, MalformedObjectError, UndecodableError
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import OpenedObject, open_object
from sonogate.receive.part10 import read_head

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open


def opened_bytes(folder: Path, content: bytes) -> OpenedObject:
    """Open bytes as a DICOM object."""
    path = folder / "bytes.dcm"
    path.write_bytes(content)
    return open_object(path, MediaType.DICOM)


def test_identity_comes_from_the_header(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """UIDs, accession, maker and exam are what the tracker needs."""
    header = open_dicom(
        make_object(
            grey,
            SOPInstanceUID="1.2.3.4.5.6",
            AccessionNumber="A-1",
            Manufacturer="Phantoms Ltd",
            StudyDescription="abdomen",
            InstanceNumber=7,
        )
    ).header

    assert ("1.2.3.4.5.6", "1.2.3.4", "1.2.3.4.5") == (
        header.sop_instance_uid,
        header.study_instance_uid,
        header.series_instance_uid,
    )
    assert ("A-1", "Phantoms Ltd", "ABDOMEN", 7) == (
        header.accession_number,
        header.manufacturer,
        header.exam_type,
        header.instance_number,
    )


def test_nothing_of_the_patient_is_kept(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Name, id and birth date are read over: neither header nor data set holds them."""
    opened = open_dicom(make_object(grey))

    assert opened.dataset is not None
    everything = f"{opened.header} {opened.dataset}"
    assert not [word for word in ("Doe", "4711", "19700101") if word in everything]


def test_a_missing_uid_is_the_file_metas(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A data set without SOP Instance UID still has a name."""
    header = open_dicom(make_object(grey, SOPInstanceUID=None)).header

    assert "1.2.3.999" == header.sop_instance_uid


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"AcquisitionDateTime": "20240229101112.5+0200", "ContentDate": "20200101"},
            datetime(2024, 2, 29, 8, 11, 12, 500_000, UTC),
        ),
        (
            {
                "AcquisitionDate": "20240301",
                "AcquisitionTime": "235959",
                "TimezoneOffsetFromUTC": "-0500",
                "ContentDate": "20200101",
                "ContentTime": "000000",
            },
            datetime(2024, 3, 2, 4, 59, 59, tzinfo=UTC),
        ),
        (
            {
                "ContentDate": "20240301",
                "ContentTime": "1011",
                "TimezoneOffsetFromUTC": "+0000",
            },
            datetime(2024, 3, 1, 10, 11, tzinfo=UTC),
        ),
        ({"AcquisitionDateTime": "2024"}, None),
        ({"AcquisitionDate": "20241399", "AcquisitionTime": "101112"}, None),
        ({"StudyDate": "20240301", "StudyTime": "101112"}, None),
    ],
)
def test_acquired_at_is_the_most_exact_time_given(
    attributes: dict[str, str],
    expected: datetime | None,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Acquisition DateTime, else date and time, else content; a study's time is no image's time."""
    assert expected == open_dicom(make_object(grey, **attributes)).header.acquired_at


@pytest.mark.parametrize("charset", [b"ISO_IR 999", b"\\ISO 2022 IR 87", b"\xff\xfe", b"GB18030"])
def test_an_odd_character_set_hides_nothing(
    charset: bytes, grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Text in an unknown character set is read as it can be, and the pixels all the same."""
    path = make_object(grey, SpecificCharacterSet="ISO_IR 100", StudyDescription="Sch\xe4del")
    content = path.read_bytes().replace(b"ISO_IR 100", charset.ljust(10)[:10])
    path.write_bytes(content)
    opened = open_dicom(path)

    assert opened.failure is None
    assert "1.2.3.4" == opened.header.study_instance_uid
    assert 1 == len(read_frames(opened, 8).frames)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_a_bare_data_set_is_read(
    syntax: str,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    tmp_path: Path,
) -> None:
    """Without preamble and file meta the encoding is told from the first element."""
    content = make_object(grey, syntax=syntax).read_bytes()
    meta_length = struct.unpack("<I", content[140:144])[0]
    opened = opened_bytes(tmp_path, content[144 + meta_length :])

    assert opened.failure is None
    assert "1.2.3.4" == opened.header.study_instance_uid
    assert 1 == len(read_frames(opened, 8).frames)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, bytes(5000), b"\x89PNG" * 99]
)
def test_what_is_not_dicom_is_undecodable(content: bytes, tmp_path: Path) -> None:
    """Any bytes open; only reading their frames fails."""
    opened = opened_bytes(tmp_path, content)

    with pytest.raises((UndecodableError, EmptyPixelDataError)):
        read_frames(opened, 8)


def test_a_truncated_object_keeps_the_header_it_has(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A cut at any point gives an error of ours, and the study where it came that far."""
    path = make_object(grey)
    content = path.read_bytes()
    header_ends = content.index(b"\xe0\x7f\x10\x00")
    study_ends = content.index(b"1.2.3.4\0") + 8
    for cut in (*range(100, header_ends, 37), header_ends + 6, len(content) // 2):
        path.write_bytes(content[:cut])
        opened = open_dicom(path)
        with pytest.raises((UndecodableError, EmptyPixelDataError)):
            read_frames(opened, 8)
        if cut >= study_ends:
            assert "1.2.3.4" == opened.header.study_instance_uid


def explicit(group: int, element: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Write one explicit little endian element, perhaps with a lie for its length."""
    n_bytes = len(value) if length is None else length
    long_form = vr in (b"SQ", b"OB", b"UN", b"UT")
    size = b"\0\0" + struct.pack("<I", n_bytes) if long_form else struct.pack("<H", n_bytes)
    return struct.pack("<HH", group, element) + vr + size + value


START = explicit(0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.6.1\0")


@pytest.mark.parametrize("tag", [(0x0008, 0x1115), (0x0009, 0x1001)])
def test_a_sequence_nested_ten_thousand_deep_is_undecodable(
    tag: tuple[int, int], tmp_path: Path
) -> None:
    """Recursion ends at Python's own limit, as an error of ours, and in little time."""
    nest = explicit(*tag, b"SQ", b"", 0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    opened = opened_bytes(tmp_path, START + nest * 10_000)

    assert isinstance(opened.failure, UndecodableError)
    assert "1.2.840.10008.5.1.4.1.1.6.1" == opened.header.sop_class_uid


@pytest.mark.parametrize("vr", [b"LO", b"UT", b"OB", b"SQ"])
@pytest.mark.parametrize("tag", [(0x0008, 0x0005), (0x0008, 0x103E), (0x0018, 0x6011)])
def test_a_length_that_lies_allocates_nothing(
    tag: tuple[int, int], vr: bytes, tmp_path: Path
) -> None:
    """Four claimed gigabytes in a file of a hundred bytes are read as what is there."""
    import tracemalloc

    lie = 0xFFF0 if vr == b"LO" else 0xFFFFFFF0
    tracemalloc.start()
    opened = opened_bytes(tmp_path, START + explicit(*tag, vr, b"short", lie))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(opened.failure, UndecodableError)
    assert peak < 8_000_000


def test_a_wrong_group_length_does_no_harm(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """The file meta ends where its group ends, whatever its length element says."""
    path = make_object(grey)
    content = path.read_bytes()
    path.write_bytes(content[:140] + struct.pack("<I", 0x7FFFFFF0) + content[144:])
    opened = open_dicom(path)

    assert opened.failure is None
    assert 1 == len(read_frames(opened, 8).frames)


@pytest.mark.parametrize(
    "meta",
    [
        explicit(2, 0x0000, b"UL", b"\xf0\xff\xff\xff"),
        explicit(2, 0x0001, b"OB", b"\0\1", 0xFFFFFFF0),
        explicit(2, 0x0002, b"UI", b"1.2", 0xFFFF),
        explicit(2, 0x0010, b"UI", b"1.2", 0xFFFF),
        explicit(2, 0x0010, b"UI", b"") * 3,
        explicit(2, 0x0102, b"OB", b"", 0xFFFFFFFF),
        b"\2\0\x10",
        b"\2\0\x10\0U",
        b"",
    ],
)
def test_a_meta_header_that_lies_is_refused_or_read_no_further(meta: bytes, tmp_path: Path) -> None:
    """File meta cut off, too long or empty: no byte beyond the file is read, by door or reader."""
    content = bytes(128) + b"DICM" + meta
    with pytest.raises(MalformedObjectError):
        read_head(content)
    opened = opened_bytes(tmp_path, content)

    with pytest.raises((UndecodableError, EmptyPixelDataError)):
        read_frames(opened, 8)


def test_a_deflate_bomb_stops_at_the_cap(
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A megabyte that inflates to a gigabyte is refused while it grows."""
    path = make_object(grey, syntax="1.2.840.10008.1.2.1.99")
    content = path.read_bytes()
    meta_ends = 144 + int(struct.unpack("<I", content[140:144])[0])
    deflater = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    chunk = bytes(1_000_000)
    bomb = b"".join(deflater.compress(chunk) for _ in range(300)) + deflater.flush()
    path.write_bytes(content[:meta_ends] + bomb)
    opened = open_dicom(path)

    assert isinstance(opened.failure, UndecodableError)
    assert "256 MiB" in str(opened.failure)


def test_reasons_never_quote_a_value(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A parser's message may hold a patient's name; ours holds the kind of error only."""
    path = make_object(grey, NumberOfFrames="1")
    path.write_bytes(
        path.read_bytes().replace(b"\x28\x00\x08\x00IS\x02\x001 ", b"\x28\x00\x08\x00IS\x02\x00Do")
    )

    with pytest.raises(UndecodableError) as caught:
        read_frames(open_dicom(path), 8)
    assert "Do" not in str(caught.value)
