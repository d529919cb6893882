"""Every transfer syntax gives back what was put in."""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.encoders.base import get_encoder

from sonogate.errors import MissingCodecError, UndecodableError
from sonogate.read.frames import FrameSource, read_frames
from sonogate.read.objects.header import OpenedObject
from sonogate.read.pixels.codecs import FRAME_CODECS, Decoded, FrameCodec, decode_frame
from sonogate.read.pixels.layout import PixelLayout, layout_of

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open

Samples = NDArray[np.generic]
Encode = Callable[[Samples], bytes]

DICOM = "1.2.840.10008.1.2"
JPEG = f"{DICOM}.4."
NATIVE = [DICOM, f"{DICOM}.1", f"{DICOM}.1.99", f"{DICOM}.2"]


def jpeg_ls(samples: Samples) -> bytes:
    """CharLS guesses its buffer too small for noise, so it gets a large one."""
    room = bytearray(4 * samples.nbytes + 4096)
    return bytes(imagecodecs.jpegls_encode(samples, out=room))


def rle(samples: Samples) -> bytes:
    """Encode with pydicom: another hand than the one that decodes."""
    return get_encoder(f"{DICOM}.5").encode(
        samples,
        rows=samples.shape[0],
        columns=samples.shape[1],
        samples_per_pixel=samples.shape[2] if samples.ndim == 3 else 1,
        number_of_frames=1,
        bits_allocated=8 * samples.dtype.itemsize,
        bits_stored=8 * samples.dtype.itemsize,
        pixel_representation=0,
        photometric_interpretation="RGB" if samples.ndim == 3 else "MONOCHROME2",
        planar_configuration=0,
    )


def jpeg_lossless(samples: Samples) -> bytes:
    """Encode JPEG Lossless."""
    return bytes(imagecodecs.ljpeg_encode(samples))


def jpeg_2000(samples: Samples) -> bytes:
    """Encode reversible JPEG 2000."""
    return bytes(imagecodecs.jpeg2k_encode(samples, reversible=True))


def htj2k(samples: Samples) -> bytes:
    """Encode reversible HTJ2K."""
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True))


def jpeg_xl(samples: Samples) -> bytes:
    """Encode lossless JPEG XL."""
    return bytes(imagecodecs.jpegxl_encode(samples, lossless=True))


def jpeg_baseline(samples: Samples, quality: int = 95) -> bytes:
    """Encode JPEG with Pillow."""
    out = BytesIO()
    Image.fromarray(np.asarray(samples, np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


LOSSLESS: list[tuple[str, Encode]] = [
    (f"{JPEG}57", jpeg_lossless),
    (f"{JPEG}70", jpeg_lossless),
    (f"{JPEG}80", jpeg_ls),
    (f"{JPEG}81", jpeg_ls),
    (f"{JPEG}90", jpeg_2000),
    (f"{JPEG}91", jpeg_2000),
    (f"{JPEG}110", jpeg_xl),
    (f"{JPEG}112", jpeg_xl),
    (f"{JPEG}201", htj2k),
    (f"{JPEG}202", htj2k),
    (f"{JPEG}203", htj2k),
    (f"{DICOM}.5", rle),
]


def pictures(opened: OpenedObject) -> list[NDArray[np.uint8]]:
    """Decode every frame of an object, uncropped."""
    assert opened.failure is None
    assert opened.dataset is not None
    assert opened.pixels is not None
    layout = layout_of(opened.dataset)
    syntax = opened.header.transfer_syntax_uid or ""
    with opened.stream() as stream:
        source = FrameSource(syntax, layout, opened.dataset, opened.pixels, stream)
        return list(source.pictures(range(1, layout.n_frames + 1)))


@pytest.mark.parametrize(("syntax", "encode"), LOSSLESS, ids=[s for s, _ in LOSSLESS])
def test_lossless_grey_comes_back_bit_by_bit(
    syntax: str,
    encode: Encode,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """What a lossless syntax stores is what we look at."""
    path = make_object(grey, syntax=syntax, encoded=[encode(grey)])

    np.testing.assert_array_equal(grey, pictures(open_dicom(path))[0])


@pytest.mark.parametrize(("syntax", "encode"), LOSSLESS[2:], ids=[s for s, _ in LOSSLESS[2:]])
def test_lossless_colour_comes_back_bit_by_bit(
    syntax: str,
    encode: Encode,
    colour: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Colour keeps its channels in order, whatever the codec does to them inside."""
    photometric = "YBR_RCT" if encode in (jpeg_2000, htj2k) else "RGB"
    path = make_object(colour, photometric, syntax=syntax, encoded=[encode(colour)])

    np.testing.assert_array_equal(colour, pictures(open_dicom(path))[0])


@pytest.mark.parametrize("encode", [jpeg_ls, jpeg_2000, htj2k, jpeg_xl, jpeg_lossless, rle])
def test_sixteen_bits_keep_their_high_byte(
    encode: Encode, grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Deep grey is scaled by its depth, so that the high byte is what shows."""
    syntax = next(syntax for syntax, encoder in LOSSLESS if encoder is encode)
    deep = grey.astype(np.uint16) * 257
    path = make_object(deep, syntax=syntax, encoded=[encode(deep)])

    np.testing.assert_array_equal(grey, pictures(open_dicom(path))[0])


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_uncompressed_grey_comes_back_in_either_byte_order(
    syntax: str,
    dtype: type[np.generic],
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Implicit, explicit, deflated and big endian hold the same picture."""
    stored: Samples = grey.astype(np.uint16) * 257 if dtype is np.uint16 else grey
    if syntax.endswith(".2.2"):
        stored = stored.astype(stored.dtype.newbyteorder(">"))
    path = make_object(stored, syntax=syntax)

    np.testing.assert_array_equal(grey, pictures(open_dicom(path))[0])


@pytest.mark.parametrize("syntax", [f"{JPEG}50", f"{JPEG}51"])
def test_jpeg_colour_is_near_what_was_stored(
    syntax: str, colour: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """YBR_FULL_422 in a JPEG becomes RGB once, not twice and not never."""
    path = make_object(
        colour, "YBR_FULL_422", syntax=syntax, encoded=[jpeg_baseline(colour, quality=100)]
    )
    decoded = pictures(open_dicom(path))[0].astype(int)

    assert np.abs(decoded - colour)[105:115, 125:145].mean() < 6
    assert np.abs(decoded - colour).mean() < 4


def test_a_jpeg_recompressed_as_jpeg_xl_is_the_jpeg(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Recompression makes a file of boxes that cut the code stream right after its size."""
    stream = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg_baseline(grey)))
    path = make_object(grey, syntax=f"{JPEG}111", encoded=[stream])

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - grey).mean() < 4


def test_jpeg_extended_has_twelve_bits(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """Process 4 is not cut to eight bits by an eight-bit decoder."""
    deep = grey.astype(np.uint16) * 16 + 8
    encoded = bytes(imagecodecs.jpeg8_encode(deep, level=99, bitspersample=12))
    path = make_object(
        deep, syntax=f"{JPEG}51", encoded=[encoded], BitsStored=12, HighBit=11, BitsAllocated=16
    )

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - grey).max() <= 2


def test_jpeg_that_says_nothing_of_its_colour_is_read_as_the_header_says(
    colour: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """An RGB JPEG without JFIF or Adobe marker must not be converted again."""
    with_marker = bytes(
        imagecodecs.jpeg8_encode(colour, level=98, colorspace="RGB", outcolorspace="RGB")
    )
    bare = with_marker[:2] + with_marker[2 + 2 + int.from_bytes(with_marker[4:6], "big") :]
    bare = bare.replace(b"R\x11\x00G\x11\x00B\x11\x00", b"\x01\x11\x00\x02\x11\x00\x03\x11\x00")
    bare = bare.replace(b"\x03R\x00G\x00B\x00", b"\x03\x01\x00\x02\x00\x03\x00")
    path = make_object(colour, "RGB", syntax=f"{JPEG}50", encoded=[bare])

    assert np.abs(pictures(open_dicom(path))[0].astype(int) - colour).mean() < 4


@pytest.mark.parametrize("syntax", [f"{JPEG}100", f"{JPEG}102", f"{JPEG}107", f"{JPEG}103.1"])
def test_video_names_the_extra_to_install(
    syntax: str,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without PyAV a video is kept and says what to do."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    monkeypatch.delitem(__import__("sys").modules, "sonogate.read.pixels.video", raising=False)
    path = make_object(grey, syntax=syntax, encoded=[b"\0\0\1\xb3" * 8])

    with pytest.raises(MissingCodecError, match=r"install sonogate\[video\]"):
        read_frames(open_dicom(path), 8)


def test_an_unknown_syntax_is_undecodable(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """The reason names the syntax, so that someone can add it."""
    path = make_object(grey, syntax=f"{JPEG}204", encoded=[b"\0" * 64])

    with pytest.raises(UndecodableError, match=r"1\.2\.840\.10008\.1\.2\.4\.204"):
        read_frames(open_dicom(path), 8)


@pytest.mark.parametrize(("syntax", "encode"), LOSSLESS, ids=[s for s, _ in LOSSLESS])
def test_a_size_that_lies_is_found_before_or_after_decoding(
    syntax: str,
    encode: Encode,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Rows that differ from the code stream never become a picture of noise."""
    path = make_object(grey, syntax=syntax, encoded=[encode(grey)], Rows=480)

    with pytest.raises(UndecodableError):
        read_frames(open_dicom(path), 8)


@pytest.mark.parametrize("syntax", [f"{JPEG}50", f"{JPEG}80", f"{JPEG}90", f"{JPEG}110"])
def test_a_bomb_is_refused_before_it_is_decoded(
    syntax: str, grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A code stream that claims another size than the header never reaches its codec."""
    encode = dict(LOSSLESS).get(syntax, jpeg_baseline)
    opened = open_dicom(make_object(grey, syntax=syntax, encoded=[encode(grey)]))
    assert opened.dataset is not None
    size_of = FRAME_CODECS[syntax].size_of
    reached: list[int] = []

    def decode(stream: bytes, _layout: PixelLayout, _reduce: int) -> Decoded:
        reached.append(len(stream))
        return Decoded(grey)

    codec = FrameCodec(decode, size_of)
    decode_frame(codec, encode(grey), layout_of(opened.dataset))
    with pytest.raises(UndecodableError):
        decode_frame(codec, encode(np.zeros((3000, 3000), np.uint8)), layout_of(opened.dataset))
    assert 1 == len(reached)


@pytest.mark.parametrize(("syntax", "encode"), LOSSLESS, ids=[s for s, _ in LOSSLESS])
def test_garbage_is_undecodable(
    syntax: str,
    encode: Encode,
    grey: NDArray[np.uint8],
    make_object: "MakeObject",
    open_dicom: "Open",
) -> None:
    """Whatever a codec raises on broken bytes is one error of ours."""
    path = make_object(grey, syntax=syntax, encoded=[b"\xff\xd8\xff" + b"\x5a" * 500])
    with pytest.raises(UndecodableError):
        read_frames(open_dicom(path), 8)
