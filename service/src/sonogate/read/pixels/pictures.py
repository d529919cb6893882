"""Plain pictures in, and the fingerprint by which pictures of one view are told out."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.domain.frames import FrameStack
from sonogate.domain.instance import MediaType
from sonogate.errors import UndecodableError
from sonogate.read.pixels.layout import MAX_FRAME_PIXELS

PILLOW_FORMATS = {MediaType.PNG: "PNG", MediaType.JPEG: "JPEG", MediaType.WEBP: "WEBP"}
FINGERPRINT_SIDE = 32
DEEP_GREY_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "F"})


def decode_picture(file: BinaryIO, media_type: MediaType) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG or WebP file; the first frame of an animation.

    Returns:
        (height, width) grey or (height, width, 3) RGB.

    Raises:
        UndecodableError: the file is of another kind, broken, or over 64 megapixels.
    """
    with Image.open(file, formats=[PILLOW_FORMATS[media_type]]) as image:
        if image.width * image.height > MAX_FRAME_PIXELS:
            raise UndecodableError(
                f"The picture has more than {MAX_FRAME_PIXELS // 1_000_000} megapixels."
            )
        if image.mode in DEEP_GREY_MODES:
            return _scaled_by_depth(np.asarray(image))
        return np.asarray(_on_black(image))


def _on_black(image: Image.Image) -> Image.Image:
    """Return grey or RGB; what is transparent is black, as on a screen."""
    if image.mode in ("L", "1"):
        return image.convert("L")
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, rgba).convert("RGB")


def _scaled_by_depth(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = deep.astype(np.float32)
    depth = max(8, int(values.max(initial=0)).bit_length())
    return np.rint(np.clip(values / ((1 << depth) - 1), 0, 1) * 255).astype(np.uint8)


def fingerprint(stack: FrameStack, row: int) -> bytes:
    """Return 32x32 bytes of the scan, row by row, by which pictures of one view are told.

    Overlays do not count: each cell is the mean of its echoes, so that a frame with calipers and
    its clean twin are alike.

    Args:
        stack: of `read_frames`.
        row: index into `stack.frames`.
    """
    rows = np.flatnonzero(stack.scan_mask.any(axis=1))
    columns = np.flatnonzero(stack.scan_mask.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    echo = (stack.scan_mask & ~stack.overlay_mask)[box].astype(np.float32)
    weighted = _cells(stack.frames[row][box] * echo)
    weight = _cells(echo)
    cells = np.where(weight > 0.02, weighted / np.maximum(weight, 0.02), 0.0)
    return bytes(np.rint(np.clip(cells, 0, 255)).astype(np.uint8).tobytes())


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    side = (FINGERPRINT_SIDE, FINGERPRINT_SIDE)
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize(side, Image.Resampling.BOX))
