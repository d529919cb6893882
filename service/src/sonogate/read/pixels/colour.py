"""From stored samples to what a screen shows: 8-bit grey or RGB (PS3.3 C.7.6.3, C.11)."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from sonogate.errors import UndecodableError
from sonogate.read.pixels.codecs import Decoded, Samples
from sonogate.read.pixels.grey import to_eight_bits
from sonogate.read.pixels.layout import GREY, PALETTE, PixelLayout
from sonogate.read.pixels.palette import apply_palette

Picture = NDArray[np.uint8]
"""(height, width) grey or (height, width, 3) RGB, as shown on a screen."""

#: Inverse of full-range BT.601 (PS3.3 C.7.6.3.1.2): rows R, G, B over Y, Cb, Cr.
FROM_YBR = np.array(
    [[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]], dtype=np.float32
)


def native_samples(
    content: bytes, layout: PixelLayout, order: str, *, in_words: bool = False
) -> Samples:
    """Cut the bytes of one uncompressed frame into samples.

    Args:
        content: the frame's bytes.
        layout: what the header declares.
        order: "<" for little, ">" for big endian.
        in_words: big-endian words of 16 bits (VR OW): two eight-bit samples lie in one, swapped.

    Returns:
        (height, width) or (height, width, 3) stored samples.
    """
    if in_words and layout.bits_allocated == 8:
        content = np.frombuffer(content[: len(content) // 2 * 2], "u2").byteswap().tobytes()
    samples = np.frombuffer(content, f"{order}u{layout.bits_allocated // 8}")
    rows, columns = layout.rows, layout.columns
    if layout.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        return _from_422(samples, rows, columns)
    if layout.samples == 1:
        return samples.reshape(rows, columns)
    if layout.planar:
        return samples.reshape(3, rows, columns).transpose(1, 2, 0)
    return samples.reshape(rows, columns, 3)


def _from_422(samples: Samples, rows: int, columns: int) -> Samples:
    """Double the chroma of Y Y Cb Cr groups along each row."""
    groups = samples.reshape(-1, 4)
    pixels = groups[:, [0, 2, 3, 1, 2, 3]].reshape(-1, 3)
    return pixels[: rows * columns].reshape(rows, columns, 3)


def to_picture(decoded: Decoded, layout: PixelLayout, dataset: Dataset) -> Picture:
    """Turn one frame's samples into a picture.

    Raises:
        UndecodableError: the photometric interpretation is none that ultrasound uses.
    """
    samples = _masked(decoded.samples, layout)
    if layout.photometric == PALETTE:
        return apply_palette(samples, dataset, signed=layout.signed)
    if layout.photometric in GREY:
        grey = to_eight_bits(samples, layout, dataset)
        return 255 - grey if layout.photometric == "MONOCHROME1" else grey
    colour = _eight_bit_colour(samples, layout)
    if decoded.is_rgb or layout.photometric == "RGB":
        return colour
    if layout.photometric in ("YBR_FULL", "YBR_FULL_422"):
        return np.asarray(Image.fromarray(colour, "YCbCr").convert("RGB"))
    if layout.photometric.startswith("YBR_PARTIAL"):
        return _from_partial(colour)
    return _from_reversible(colour)


def _masked(samples: Samples, layout: PixelLayout) -> Samples:
    """Shift down to bit 0 and drop what lies above Bits Stored (overlays of old objects)."""
    if samples.dtype.kind != "u" or layout.bits_stored == samples.dtype.itemsize * 8:
        return samples
    shift = max(0, layout.high_bit + 1 - layout.bits_stored)
    values = samples.astype(np.uint32)
    return (values >> shift) & np.uint32((1 << layout.bits_stored) - 1)


def _eight_bit_colour(samples: Samples, layout: PixelLayout) -> Picture:
    if layout.bits_stored <= 8:
        return np.ascontiguousarray(samples.astype(np.uint8, copy=False))
    return np.ascontiguousarray(samples.astype(np.uint32) >> (layout.bits_stored - 8), np.uint8)


def _from_partial(colour: Picture) -> Picture:
    """Convert studio-range YBR (luma 16 to 235) to RGB."""
    ybr = colour.astype(np.float32)
    ybr[..., 0] = (ybr[..., 0] - 16) * (255 / 219)
    ybr[..., 1:] = (ybr[..., 1:] - 128) * (255 / 224)
    return np.asarray(np.clip(np.rint(ybr @ FROM_YBR.T), 0, 255), dtype=np.uint8)


def _from_reversible(_colour: Picture) -> Picture:
    # YBR_RCT and YBR_ICT exist only inside JPEG 2000, whose decoder undoes them.
    raise UndecodableError("YBR_RCT and YBR_ICT are for JPEG 2000 only.")


def luma_of(picture: Picture) -> NDArray[np.uint8]:
    """Return BT.601 luminance; grey comes back unchanged."""
    if picture.ndim == 2:
        return picture
    return np.asarray(Image.fromarray(picture).convert("L"))
