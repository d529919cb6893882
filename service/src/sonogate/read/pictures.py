"""Plain pictures in, and small pictures for people out: thumbnail and fingerprint."""

from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage

from sonogate.domain.frames import FrameStack
from sonogate.domain.instance import MediaType
from sonogate.errors import UndecodableError
from sonogate.read.layout import MAX_FRAME_PIXELS
from sonogate.read.morphology import dilate

PILLOW_FORMATS = {MediaType.PNG: "PNG", MediaType.JPEG: "JPEG", MediaType.WEBP: "WEBP"}
THUMBNAIL_SIDE = 320
#: Grey above which a pixel is lit, and the lit share of an image that fills its frame.
LIT, LEAST_LIT = 16, 0.35
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


def thumbnail_png(stack: FrameStack, row: int) -> bytes:
    """Return one frame as a small grey PNG on which no text can be read.

    Everything outside the scan and every overlay is black. The text chunk "sonogate-region" says
    which part of the stored frame is shown (x,y,width,height), so that a page can outline findings.

    Args:
        stack: of `read_frames`.
        row: index into `stack.frames`.
    """
    visible = stack.scan_mask & ~dilate(stack.overlay_mask, 1)
    if stack.scan_mask.all() and not _fills_its_frame(stack.frames[row], visible):
        visible = visible & _echoes(stack.frames[row])
    shown = np.where(visible, stack.frames[row], 0).astype(np.uint8)
    image = Image.fromarray(shown)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    out = BytesIO()
    shows, region = PngInfo(), stack.region
    shows.add_text("sonogate-region", f"{region.x},{region.y},{region.width},{region.height}")
    image.save(out, "PNG", pnginfo=shows)
    return out.getvalue()


def _fills_its_frame(frame: NDArray[np.uint8], visible: NDArray[np.bool_]) -> bool:
    """Whether an image without a border is seen, not a dark screen on which letters may stand."""
    return float((frame[visible] > LIT).mean()) > LEAST_LIT if visible.any() else False


def _echoes(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return only what is broader than letters: on a dark screen nothing else is shown."""
    side = max(9, max(frame.shape) // 40)
    broad = ndimage.grey_opening(frame, size=(side, side)) > LIT
    return dilate(broad, 2)


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
