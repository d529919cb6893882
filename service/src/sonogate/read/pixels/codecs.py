"""One decoder for each transfer syntax: compressed bytes of one frame to stored samples.

Pillow decodes JPEG and may do so at a reduced scale; imagecodecs (BSD) decodes the rest. pydicom's
own decoders are not used: they have no JPEG Lossless, JPEG-LS, HTJ2K or JPEG XL without packages
under the GPL, and none decodes at a reduced scale or looks at the size in the code stream before
it allocates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.errors import UndecodableError
from sonogate.read.pixels.codestreams import SizeReader, jpeg2000_size, jpeg_size, jpegxl_size
from sonogate.read.pixels.layout import PixelLayout

Samples = NDArray[np.generic]

RLE_SLACK = 2
"""Some encoders fill up their last rows; what is over the declared size this often is a bomb."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Samples of one frame as the codec gives them."""

    samples: Samples  #: (height, width) or (height, width, 3)
    is_rgb: bool = False  #: the codec has already converted colour to RGB


Decode = Callable[[bytes, PixelLayout, int], Decoded]


@dataclass(frozen=True, slots=True)
class FrameCodec:
    """How frames of one family of transfer syntaxes are decoded."""

    decode: Decode
    size_of: SizeReader | None  #: reads the size from the code stream


def decode_frame(codec: FrameCodec, stream: bytes, layout: PixelLayout, reduce: int = 1) -> Decoded:
    """Decode one compressed frame.

    Args:
        codec: of the transfer syntax.
        stream: the frame's bytes.
        layout: what the header declares.
        reduce: ask for 1/reduce of each side; honoured by JPEG only.

    Raises:
        UndecodableError: the frame is not of the declared size.
    """
    declared = (layout.rows, layout.columns)
    if codec.size_of is not None and codec.size_of(stream) != declared:
        raise UndecodableError("Rows and Columns differ from the size of the compressed frame.")
    decoded = codec.decode(stream, layout, reduce)
    sides = tuple(-(-side // reduce) for side in declared)
    if decoded.samples.shape[:2] not in (declared, sides):
        raise UndecodableError("Rows and Columns differ from the size of the decoded frame.")
    if (decoded.samples.ndim == 3) != (layout.samples == 3):
        raise UndecodableError("Samples per Pixel differs from the decoded frame.")
    return decoded


def _jpeg(stream: bytes, layout: PixelLayout, reduce: int) -> Decoded:
    if layout.bits_stored > 8:
        return Decoded(imagecodecs.jpeg8_decode(stream))
    with Image.open(BytesIO(stream), formats=["JPEG"]) as image:
        as_stored = layout.photometric == "RGB" and _is_untransformed(image)
        size = (layout.columns // reduce, layout.rows // reduce)
        image.draft("YCbCr" if as_stored else None, size)
        if image.mode not in ("L", "RGB", "YCbCr"):
            raise UndecodableError(f"A JPEG frame in {image.mode} is not ultrasound.")
        return Decoded(np.asarray(image), is_rgb=image.mode != "L")


def _is_untransformed(image: Image.Image) -> bool:
    """Whether a stream that says nothing of its colour is to be read as RGB (PS3.5 8.2.1)."""
    return "adobe_transform" not in image.info and "jfif" not in image.info


def _jpeg_lossless(stream: bytes, _layout: PixelLayout, _reduce: int) -> Decoded:
    return Decoded(imagecodecs.jpegsof3_decode(stream))


def _jpeg_ls(stream: bytes, _layout: PixelLayout, _reduce: int) -> Decoded:
    return Decoded(imagecodecs.jpegls_decode(stream))


def _jpeg_2000(stream: bytes, layout: PixelLayout, _reduce: int) -> Decoded:
    samples = imagecodecs.jpeg2k_decode(stream, numthreads=1)
    return Decoded(samples, is_rgb=layout.photometric in ("YBR_RCT", "YBR_ICT", "RGB"))


def _jpeg_xl(stream: bytes, _layout: PixelLayout, _reduce: int) -> Decoded:
    samples = imagecodecs.jpegxl_decode(stream, index=0, numthreads=1)  # one frame, no animation
    return Decoded(samples, is_rgb=True)


def _rle(stream: bytes, layout: PixelLayout, _reduce: int) -> Decoded:
    """Decode PackBits; every sample is its own plane (PS3.5 G.2)."""
    word = np.dtype(f"<u{layout.bits_allocated // 8}")
    n_samples = layout.rows * layout.columns * layout.samples
    room = bytearray(n_samples * word.itemsize * RLE_SLACK)  # two bytes of RLE may become 128
    samples = np.frombuffer(imagecodecs.dicomrle_decode(stream, word, out=room), word)
    if len(samples) < n_samples:
        raise UndecodableError("An RLE frame holds fewer samples than Rows and Columns claim.")
    planes = samples[:n_samples].reshape(layout.samples, layout.rows, layout.columns)
    return Decoded(planes[0] if layout.samples == 1 else planes.transpose(1, 2, 0))


JPEG = FrameCodec(_jpeg, jpeg_size)
JPEG_LOSSLESS = FrameCodec(_jpeg_lossless, jpeg_size)
JPEG_LS = FrameCodec(_jpeg_ls, jpeg_size)
JPEG_2000 = FrameCodec(_jpeg_2000, jpeg2000_size)
JPEG_XL = FrameCodec(_jpeg_xl, jpegxl_size)
RLE = FrameCodec(_rle, None)

JPEG_FAMILY = "1.2.840.10008.1.2.4."
FRAME_CODECS: Mapping[str, FrameCodec] = {
    f"{JPEG_FAMILY}50": JPEG,
    f"{JPEG_FAMILY}51": JPEG,
    f"{JPEG_FAMILY}57": JPEG_LOSSLESS,
    f"{JPEG_FAMILY}70": JPEG_LOSSLESS,
    f"{JPEG_FAMILY}80": JPEG_LS,
    f"{JPEG_FAMILY}81": JPEG_LS,
    f"{JPEG_FAMILY}90": JPEG_2000,
    f"{JPEG_FAMILY}91": JPEG_2000,
    f"{JPEG_FAMILY}110": JPEG_XL,
    f"{JPEG_FAMILY}111": JPEG_XL,
    f"{JPEG_FAMILY}112": JPEG_XL,
    f"{JPEG_FAMILY}201": JPEG_2000,
    f"{JPEG_FAMILY}202": JPEG_2000,
    f"{JPEG_FAMILY}203": JPEG_2000,
    "1.2.840.10008.1.2.5": RLE,
}
"""PS3.6 table A-1. HTJ2K (.201 to .203) is decoded by the same OpenJPEG as JPEG 2000."""

VIDEO_SYNTAXES = frozenset(
    f"{JPEG_FAMILY}{number}{fragmentable}"
    for number in (100, 101, 102, 103, 104, 105, 106, 107, 108)
    for fragmentable in ("", ".1")
)
NATIVE_SYNTAXES = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
    }
)
