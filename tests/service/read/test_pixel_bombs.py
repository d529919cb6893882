"""Compressed frames, palettes and headers that are small and would grow: refused before they do."""

import struct
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sonogate.errors import EmptyPixelDataError, UndecodableError
from sonogate.read.frames import read_frames
from sonogate.read.pixels.codestreams import J2K_START, jpeg2000_size, jpegxl_size
from sonogate.settings import MIB
from tests.service.read.test_codecs import DICOM, JPEG, jpeg_2000, pictures

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open

Grey = NDArray[np.uint8]
SMALL = np.zeros((64, 64), np.uint8)
LARGE = np.zeros((2000, 2000), np.uint8)


def jp2(samples: Grey) -> bytes:
    """Encode JPEG 2000 in its boxes."""
    return bytes(imagecodecs.jpeg2k_encode(samples, reversible=True, codecformat="jp2"))


def decoy(large: bytes, small: bytes) -> bytes:
    """Put the head of a small code stream in a free box before the large one."""
    head = small[small.index(J2K_START) :][:60]
    at = large.index(b"ftypjp2 ") + 16
    return large[:at] + struct.pack(">L4s", 8 + len(head), b"free") + head + large[at:]


def test_the_size_of_a_jp2_is_the_one_that_is_decoded() -> None:
    """A box before the code stream that shows a small size deceives nobody."""
    hidden = decoy(jp2(LARGE), jp2(SMALL))

    assert LARGE.shape == imagecodecs.jpeg2k_decode(hidden).shape
    assert (2000, 2000) == jpeg2000_size(hidden)
    assert (64, 64) == jpeg2000_size(jp2(SMALL))


def with_components(stream: bytes, n_components: int) -> bytes:
    """Rewrite SIZ (ISO 15444-1 A.5.1) to claim more components."""
    at = stream.index(J2K_START) + 2
    length = int.from_bytes(stream[at + 2 : at + 4], "big")
    siz = stream[at : at + 38] + struct.pack(">H", n_components) + b"\7\1\1" * n_components
    siz = siz[:2] + struct.pack(">H", len(siz) - 2) + siz[4:]
    return stream[:at] + siz + stream[at + 2 + length :]


def test_many_components_never_reach_the_decoder(
    make_object: "MakeObject", open_dicom: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    """16,384 of them on one small picture would be a quarter of a gigabyte."""
    reached: list[bytes] = []
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", lambda stream, **_: reached.append(stream))
    stream = with_components(jpeg_2000(SMALL), 16_384)
    path = make_object(SMALL, syntax=f"{JPEG}90", encoded=[stream])

    with pytest.raises(UndecodableError):
        read_frames(open_dicom(path), 8)
    assert reached == []


def test_an_animation_is_read_as_its_first_frame(
    make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """One DICOM frame of many pictures costs the memory of one."""
    stream = bytes(imagecodecs.jpegxl_encode(np.zeros((20, 300, 300), np.uint8), lossless=True))
    path = make_object(LARGE[:300, :300], syntax=f"{JPEG}110", encoded=[stream])

    assert len(stream) < 20_000
    assert (300, 300) == pictures(open_dicom(path))[0].shape


def test_a_size_that_boxes_cut_is_joined() -> None:
    """The decoder joins the boxes of a code stream; what it will find counts."""
    whole = bytes(imagecodecs.jpegxl_encode(np.zeros((300, 200), np.uint8), lossless=True))
    assert whole.startswith(b"\xff\x0a")
    pieces = [whole[:2], b"", whole[2:5], whole[5:]]
    boxes = [
        struct.pack(">L4sL", 12 + len(piece), b"jxlp", number) + piece
        for number, piece in enumerate(pieces)
    ]

    assert (300, 200) == jpegxl_size(b"".join(boxes))
    assert None is jpegxl_size(b"".join(boxes[:3]))


def test_rle_grows_no_further_than_its_header_allows(
    make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Two bytes of PackBits become 128: a bomb of a megabyte stops at twice the declared frame."""
    stream = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x07" * (MIB // 2)
    path = make_object(SMALL, syntax=f"{DICOM}.5", encoded=[stream])
    opened = open_dicom(path)
    tracemalloc.start()
    with pytest.raises(UndecodableError):
        read_frames(opened, 8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * MIB


def palette(
    descriptor: list[int], words: list[int], *, segmented: bool = False
) -> dict[str, object]:
    """Return the attributes of three equal tables."""
    prefix = "Segmented" if segmented else ""
    attributes: dict[str, object] = {}
    for channel in ("Red", "Green", "Blue"):
        table = np.array(words, "<u2").tobytes()
        attributes[f"{prefix}{channel}PaletteColorLookupTableData"] = table
        attributes[f"{channel}PaletteColorLookupTableDescriptor"] = descriptor
    return attributes


DISCRETE, LINEAR, INDIRECT = 0, 1, 2
BAD_PALETTES = {
    "shorter than it says": palette([256, 0, 16], [0] * 255),
    "65,536 entries claimed": palette([0, 0, 16], [0] * 256),
    "no entries": palette([256, 0, 16], []),
    "segment longer than its data": palette([256, 0, 16], [DISCRETE, 65_535, 1], segmented=True),
    "refers to itself": palette([256, 0, 16], [INDIRECT, 9, 0, 0], segmented=True),
    "refers beyond its end": palette([256, 0, 16], [INDIRECT, 9, 999, 9], segmented=True),
    "unknown segment": palette([256, 0, 16], [77, 1, 1], segmented=True),
    "segments that fill nothing": palette(
        [256, 0, 16], [DISCRETE, 0] * 30_000 + [INDIRECT, 29_000, 0, 0] * 60_000, segmented=True
    ),
}  # fmt: skip


@pytest.mark.parametrize("attributes", BAD_PALETTES.values(), ids=BAD_PALETTES)
def test_a_palette_that_lies_is_undecodable(
    attributes: dict[str, object], grey: Grey, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Neither read beyond its end nor expanded for ever."""
    path = make_object(grey, "PALETTE COLOR", **attributes)

    with pytest.raises(UndecodableError):
        read_frames(open_dicom(path), 8)


@pytest.mark.parametrize("first", [0, 200, 65_535])
def test_an_index_beyond_the_palette_takes_its_last_entry(
    first: int, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Indices below and above the table take its ends (PS3.3 C.7.6.3.1.5), not other memory."""
    stored = np.full((64, 64), 255, np.uint8)
    path = make_object(
        stored, "PALETTE COLOR", **palette([16, first, 16], [0x4000] * 15 + [0x8000])
    )
    (shown,) = {int(value) for value in pictures(open_dicom(path))[0].ravel()}

    assert (0x40 if first > 255 else 0x80) == shown


@pytest.mark.parametrize(
    ("descriptor", "n_entries"), [([4, 0, 16], 0), ([4, 0, 0], 4), ([4, 0, 60_000], 4)]
)
def test_a_voi_table_that_lies_is_undecodable_or_left_out(
    descriptor: list[int], n_entries: int, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """No entries, no bits, absurd bits: an error of ours, or the picture without its table."""
    item = Dataset()
    item.LUTDescriptor = descriptor
    item.add_new("LUTData", "OW", bytes(2 * n_entries))
    deep = np.full((64, 64), 60_000, np.uint16)
    path = make_object(deep, VOILUTSequence=Sequence([item]))

    with suppress(UndecodableError):
        assert (64, 64) == read_frames(open_dicom(path), 8).frames[0].shape


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(0x10001, 0x10001), (0xFFFFFFFF, 0xFFFFFFFF), (0x80000000, 2), (65_536, 65_536)],
)
def test_rows_and_columns_of_32_bits_do_not_overflow(
    rows: int, columns: int, grey: Grey, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """UL where US belongs: the product is a whole number and too large, never a small one."""
    path = make_object(grey)
    content = path.read_bytes()
    for tag, old, new in ((b"\x28\0\x10\0", 240, rows), (b"\x28\0\x11\0", 320, columns)):
        found = tag + b"US\2\0" + struct.pack("<H", old)
        assert found in content
        content = content.replace(found, tag + b"UL\4\0" + struct.pack("<L", new))
    path.write_bytes(content)

    with pytest.raises(UndecodableError, match="64 megapixels"):
        read_frames(open_dicom(path), 8)


def test_a_private_compression_is_never_undone(
    grey: Grey, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Philips' PMSCT_RLE1 lies in private elements, which are read over."""
    path = make_object(grey, PixelData=None)
    private = (
        b"\xa1\x07\x0a\x10LO\x0a\0PMSCT_RLE1" + b"\xa1\x07\x11\x10OB\0\0" + struct.pack("<L", 4000)
    )
    path.write_bytes(path.read_bytes() + private + b"\xa5\xff\xff\x5a" * 1000)

    with pytest.raises(EmptyPixelDataError):
        read_frames(open_dicom(path), 8)


def test_deep_values_are_not_written_out_as_text(
    grey: Grey, make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A study UID, a date and a size that are sequences 3000 deep: no text, no number, no time."""
    path = make_object(grey)
    content = path.read_bytes()
    for tag in (b"\x20\0\x0d\0", b"\x28\0\x08\0", b"\x08\0\x2a\0"):
        nest = b""
        for _ in range(3000):
            nest = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(nest)) + nest
            nest = tag + b"SQ\0\0" + struct.pack("<L", len(nest)) + nest
        content = without(content, tag)
        at = content.index(b"\x28\0\x02\0US")
        content = content[:at] + nest + content[at:]
    path.write_bytes(content)
    header = open_dicom(path).header

    assert (None, None) == (header.study_instance_uid, header.acquired_at)


def without(content: bytes, tag: bytes) -> bytes:
    """Cut a short explicit little endian element out, if it is there."""
    at = content.find(tag)
    if at < 0:
        return content
    (length,) = struct.unpack("<H", content[at + 6 : at + 8])
    return content[:at] + content[at + 8 + length :]
