"""Which frames are taken, how colour becomes grey, and how lies about pixels end."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sonogate.errors import EmptyPixelDataError, UndecodableError
from sonogate.read.frames import read_frames, sample
from tests.service.read.test_codecs import jpeg_baseline, pictures

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open

JPEG = "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize(
    ("n_total", "n_wanted", "expected"),
    [
        (1, 8, (1,)),
        (3, 8, (1, 2, 3)),
        (8, 8, (1, 2, 3, 4, 5, 6, 7, 8)),
        (80, 8, (6, 16, 26, 36, 46, 56, 66, 76)),
        (87, 1, (44,)),
    ],
)
def test_samples_are_spread_over_the_loop(
    n_total: int, n_wanted: int, expected: tuple[int, ...]
) -> None:
    """The middles of equal parts; every frame where there are few."""
    assert expected == sample(n_total, n_wanted)


@pytest.mark.parametrize("n_total", [1, 2, 7, 9, 30, 1000])
@pytest.mark.parametrize("n_wanted", [1, 3, 8])
def test_samples_ascend_and_lie_inside(n_total: int, n_wanted: int) -> None:
    """Never a frame twice, never one that is not there."""
    numbers = sample(n_total, n_wanted)

    assert sorted(set(numbers)) == list(numbers)
    assert min(n_total, n_wanted) == len(numbers)
    assert numbers[0] >= 1
    assert numbers[-1] <= n_total


def test_frames_that_are_not_sampled_are_not_decoded(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A cine whose other frames are garbage still gives its samples."""
    numbers = sample(40, 8)
    good = jpeg_baseline(grey)
    encoded = [good if i in numbers else b"\xff\xd8garbage!" for i in range(1, 41)]
    path = make_object(grey, syntax=JPEG, encoded=encoded, NumberOfFrames=40)
    stack = read_frames(open_dicom(path), 8)

    assert numbers == stack.frame_numbers
    assert (40, 8) == (stack.n_total, len(stack.frames))


def test_fragments_without_an_offset_table_are_put_together(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A frame cut into three fragments ends where its JPEG stream ends."""
    frames = [jpeg_baseline(np.maximum(grey, level)) for level in (0, 30, 60)]
    path = make_object(grey, syntax=JPEG, encoded=frames, NumberOfFrames=3)
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    items = b"\xfe\xff\x00\xe0\0\0\0\0"
    for frame in frames:
        third = len(frame) // 3 // 2 * 2
        for part in (frame[:third], frame[third : 2 * third], frame[2 * third :]):
            even = part + b"\0" * (len(part) % 2)
            items += b"\xfe\xff\x00\xe0" + len(even).to_bytes(4, "little") + even
    path.write_bytes(content[:start] + items + b"\xfe\xff\xdd\xe0\0\0\0\0")
    decoded = pictures(open_dicom(path))

    assert [0, 30, 60] == [int(np.median(picture[:20])) for picture in decoded]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        ({"Rows": 241}, UndecodableError),
        ({"Columns": 65_535}, UndecodableError),
        ({"Rows": 65_535, "Columns": 65_535}, UndecodableError),
        ({"NumberOfFrames": 2}, UndecodableError),
        ({"NumberOfFrames": 2_000_000_000}, UndecodableError),
        ({"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, UndecodableError),
        ({"BitsStored": 12}, UndecodableError),
        ({"BitsAllocated": 1}, UndecodableError),
        ({"SamplesPerPixel": 3}, UndecodableError),
        ({"PhotometricInterpretation": "CMYK"}, UndecodableError),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, UndecodableError),
        ({"Rows": 0}, EmptyPixelDataError),
        ({"NumberOfFrames": 0}, EmptyPixelDataError),
        ({"NumberOfFrames": -3}, EmptyPixelDataError),
        ({"PixelData": b""}, EmptyPixelDataError),
        ({"PixelData": None}, EmptyPixelDataError),
        ({"PixelData": b"\0\0"}, UndecodableError),
        ({"Rows": None}, UndecodableError),
    ],
)
def test_lies_about_pixels_are_told(
    lie: dict[str, object],
    error: type[Exception],
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Attributes that contradict the bytes never become a picture."""
    path = make_object(grey, **lie)

    with pytest.raises(error):
        read_frames(open_dicom(path), 8)


def test_more_frames_than_fragments_is_undecodable(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Number of Frames is checked against the fragments that are there."""
    path = make_object(grey, syntax=JPEG, encoded=[jpeg_baseline(grey)] * 2, NumberOfFrames=5)

    with pytest.raises(UndecodableError, match="2 frames where the header claims 5"):
        read_frames(open_dicom(path), 8)


def test_encapsulated_without_a_byte_is_empty(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """An empty fragment is no picture, not a broken one."""
    path = make_object(grey, syntax=JPEG, encoded=[b"\xff\xd8"])
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    path.write_bytes(content[:start] + b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0")

    with pytest.raises(EmptyPixelDataError):
        read_frames(open_dicom(path), 8)


def test_monochrome1_is_inverted(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """White is the least value there."""
    path = make_object(255 - grey, "MONOCHROME1")

    np.testing.assert_array_equal(grey, pictures(open_dicom(path))[0])


def test_deep_grey_takes_its_window(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Rescale, then window: what the sender meant to be seen."""
    deep = grey.astype(np.uint16) * 4 + 1000
    path = make_object(
        deep, WindowCenter=510.5, WindowWidth=1021, RescaleSlope=1, RescaleIntercept=-1000
    )

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - grey).max() <= 1


def test_deep_grey_without_a_window_is_never_clipped(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Twelve bits in sixteen are scaled by the bits in use."""
    path = make_object(grey.astype(np.uint16) * 16)

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - grey).max() <= 1


def test_a_voi_table_is_looked_up(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A table beats depth: here it inverts."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, 0, 16])
    item.add_new("LUTData", "US", [65_535 - 257 * i for i in range(256)])
    path = make_object(grey.astype(np.uint16), VOILUTSequence=Sequence([item]))

    np.testing.assert_array_equal(255 - grey, pictures(open_dicom(path))[0])


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_comes_back_in_either_planar_configuration(
    planar: int,
    photometric: str,
    colour: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """By pixel or by plane, RGB or YBR: the same picture."""
    ybr = np.asarray(Image.fromarray(colour).convert("YCbCr"))
    stored = colour if photometric == "RGB" else ybr
    content = np.ascontiguousarray(stored.transpose(2, 0, 1) if planar else stored).tobytes()
    path = make_object(stored, photometric, PlanarConfiguration=planar, PixelData=content)

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - colour).max() <= 2


def test_uncompressed_422_doubles_its_chroma(
    colour: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Y Y Cb Cr: two pixels in four bytes."""
    ybr = np.asarray(Image.fromarray(colour).convert("YCbCr")).reshape(-1, 2, 3)
    groups = np.stack([ybr[:, 0, 0], ybr[:, 1, 0], ybr[:, 0, 1], ybr[:, 0, 2]], axis=1)
    path = make_object(colour, "YBR_FULL_422", PixelData=groups.tobytes())

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - colour).max() <= 2


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_are_looked_up_in_either_byte_order(
    syntax: str,
    bits: int,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """The tables of a big-endian object are big-endian as well."""
    order = ">" if syntax.endswith(".2.2") else "<"
    levels = np.arange(256, dtype=np.uint16)
    tables = {"Red": 255 - levels, "Green": levels, "Blue": levels // 2}
    attributes: dict[str, object] = {}
    for channel, entries in tables.items():
        words = entries * 257 if bits == 16 else entries[::2] | entries[1::2] << 8
        attributes[f"{channel}PaletteColorLookupTableData"] = words.astype(f"{order}u2").tobytes()
        attributes[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
    path = make_object(grey, "PALETTE COLOR", syntax=syntax, **attributes)
    expected = np.stack([255 - grey, grey, grey // 2], axis=-1)

    np.testing.assert_array_equal(expected, pictures(open_dicom(path))[0])


def test_big_endian_words_hold_two_swapped_samples(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Eight-bit samples written as OW in big endian lie in pairs, the second first."""
    swapped = grey.reshape(-1, 2)[:, ::-1].tobytes()
    path = make_object(grey, syntax="1.2.840.10008.1.2.2", PixelData=swapped)
    path.write_bytes(path.read_bytes().replace(b"\x7f\xe0\x00\x10OB", b"\x7f\xe0\x00\x10OW"))

    np.testing.assert_array_equal(grey, pictures(open_dicom(path))[0])


def test_segmented_palettes_are_expanded(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A discrete start, then a line to the top, then the line again by reference."""
    up = [0, 1, 0, 1, 127, 65_280]
    again = [2, 2, 0, 0]
    attributes: dict[str, object] = {}
    for channel in ("Red", "Green", "Blue"):
        words = np.array(up + again, dtype="<u2").tobytes()
        attributes[f"Segmented{channel}PaletteColorLookupTableData"] = words
        attributes[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
    ramp = np.tile(np.arange(256, dtype=np.uint8), (128, 1))
    path = make_object(ramp, "PALETTE COLOR", **attributes)
    shown = pictures(open_dicom(path))[0][0, :, 0]

    assert (0, 255, 0, 255) == (shown[0], shown[127], shown[128], shown[255])
    assert (np.diff(shown[:128].astype(int)) >= 0).all()


def test_a_reduced_jpeg_differs_little(make_object: "MakeObject", open_dicom: "Open") -> None:
    """DCT scaling gives half the size and, within noise, what averaging would give."""
    from tests.service.read.conftest import phantom

    grey = np.asarray(
        Image.fromarray(phantom(512, 512)).resize((2816, 2816), Image.Resampling.BICUBIC)
    )
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1 = region.RegionLocationMaxY1 = 2815
    path = make_object(
        grey,
        syntax=JPEG,
        encoded=[jpeg_baseline(grey)],
        SequenceOfUltrasoundRegions=Sequence([region]),
    )
    full = read_frames(open_dicom(path), 8, scale_jpeg=False)
    reduced = read_frames(open_dicom(path), 8)

    assert (1, 1408, 1408) == reduced.frames.shape
    assert full.region == reduced.region
    averaged = np.asarray(Image.fromarray(full.frames[0]).reduce(2)).astype(int)
    assert np.abs(averaged - reduced.frames[0]).mean() < 1.5
    assert np.mean(full.scan_mask[::2, ::2] != reduced.scan_mask) < 0.02
