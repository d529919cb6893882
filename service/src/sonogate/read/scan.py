"""Put decoded pictures together to the stack that is scored: luminance, scan mask, overlay mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sonoquality.preprocess import scan_mask

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.read.classify import check_colour, check_page, check_size
from sonogate.read.colour import Picture, luma_of
from sonogate.read.overlay import Overlay, coloured, find_overlay

Mask = NDArray[np.bool_]

#: Lit part of a mask below which no sector was found and the mask is a mere rectangle.
LEAST_LIT = 0.12
LIT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where to look, on the grid of the decoded frame."""

    crop: Region  #: around all B-mode images, in pixels of the stored frame
    screen: tuple[int, int]  #: (height, width) of the stored frame
    images: tuple[Region, ...] = ()  #: declared B-mode rectangles; empty: to be found
    furniture: tuple[Region, ...] = ()  #: declared bars and traces
    reduce: int = 1  #: by which the decoded frame is smaller than the stored one

    def reduced(self, by: int) -> "Scene":
        """Return the same scene for frames decoded at 1/by."""
        return Scene(
            crop=self.crop,
            screen=self.screen,
            images=self.images,
            furniture=self.furniture,
            reduce=by,
        )

    @property
    def screen_side(self) -> int:
        """Longer side of the whole decoded frame."""
        return max(self.screen) // self.reduce

    def within(self, rectangle: Region) -> tuple[slice, slice]:
        """Return rows and columns of a rectangle on the cropped grid."""
        top, left = (rectangle.y - self.crop.y), (rectangle.x - self.crop.x)
        return (
            slice(max(0, top) // self.reduce, max(0, top + rectangle.height) // self.reduce),
            slice(max(0, left) // self.reduce, max(0, left + rectangle.width) // self.reduce),
        )


def assemble(
    pictures: Sequence[Picture],
    frame_numbers: tuple[int, ...],
    n_total: int,
    scene: Scene,
    header: Header,
) -> FrameStack:
    """Make the stack.

    Args:
        pictures: one (height, width[, 3]) picture per frame, cropped.
        frame_numbers: their numbers, from 1.
        n_total: frames of the object.
        scene: where they were cut from.
        header: of the object.

    Raises:
        NotApplicableError: a page, colour Doppler only, or too small.
    """
    frames = np.stack([luma_of(picture) for picture in pictures])
    colour = np.logical_or.reduce([coloured(picture) for picture in pictures])
    overlay = find_overlay(frames.min(axis=0), colour, scene.screen_side)
    brightest = frames.max(axis=0)
    mask = _scan(brightest, overlay, scene)
    found = sector_found(brightest, mask, overlay)
    if not scene.images:
        check_page(brightest, overlay, sector_found=found)
    check_size(mask, scene.reduce)
    check_colour(mask, overlay)
    overlay_mask = _with_furniture(overlay.mask, scene)
    if not found and not scene.images:
        # Nothing tells an image from letters here: what shines is not shown to anyone.
        overlay_mask = overlay_mask | (brightest > LIT)
    return FrameStack(
        frames=frames,
        scan_mask=mask,
        overlay_mask=overlay_mask,
        frame_numbers=frame_numbers,
        n_total=n_total,
        region=scene.crop,
        has_calipers=overlay.has_calipers,
        header=header,
    )


def _scan(luma: NDArray[np.uint8], overlay: Overlay, scene: Scene) -> Mask:
    """Find the scan in each declared image, or in the whole frame. Flow is evidence of a scan."""
    no_evidence = overlay.mask & ~overlay.flow
    if not scene.images:
        return scan_mask(luma, no_evidence)
    mask = np.zeros(luma.shape, dtype=np.bool_)
    for image in scene.images:
        part = scene.within(image)
        mask[part] |= scan_mask(
            np.ascontiguousarray(luma[part]), np.ascontiguousarray(no_evidence[part])
        )
    return mask


def sector_found(luma: NDArray[np.uint8], mask: Mask, overlay: Overlay) -> bool:
    """Whether the mask rests on echoes, and is not the rectangle given for want of any."""
    if not mask.all():
        return True
    lit = (luma > LIT) & ~(overlay.mask & ~overlay.flow)
    return float(lit.mean()) >= LEAST_LIT


def _with_furniture(mask: Mask, scene: Scene) -> Mask:
    furnished = mask.copy()
    for rectangle in scene.furniture:
        rows, columns = scene.within(rectangle)
        if (rows.stop - rows.start) * (columns.stop - columns.start) < 0.3 * mask.size:
            furnished[rows, columns] = True
    return furnished
