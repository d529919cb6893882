"""Put decoded pictures together to the stack that is scored: luminance, scan mask, overlay mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.read.classify import check_colour, check_page, check_size, check_trace
from sonogate.read.drawn.arcs import find_curved_boxes
from sonogate.read.drawn.overlay import Overlay, coloured, find_overlay
from sonogate.read.pixels.colour import Picture, luma_of
from sonogate.read.sector import find_sector
from sonogate.read.traces.find import find_trace
from sonoquality.fill import echoes_below

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]


#: Pictures are reduced by two until their longer side would fall below this.
LEAST_ANALYSIS_SIDE = 896
#: Grey on both sides of an overlay above which the scan goes on below it.
LEAST_ECHO = 8


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
        NotApplicableError: a trace, a page, colour Doppler only, or too small.
    """
    frames = np.stack([luma_of(picture) for picture in pictures])
    colour = np.logical_or.reduce([coloured(picture) for picture in pictures])
    by = _analysis_reduction(frames.shape[1:])
    first = pictures[0][::by, ::by]
    seen = _see(_reduced(frames, by), colour[::by, ::by], first, scene.reduced(scene.reduce * by))
    scan, overlay, ink, hidden = (
        _enlarged(mask, by, frames.shape[1:])
        for mask in (seen.scan, seen.overlay, seen.ink, seen.hidden)
    )
    return FrameStack(
        frames=frames,
        scan_mask=scan,
        overlay_mask=overlay,
        ink_mask=ink,
        hidden_mask=hidden,
        frame_numbers=frame_numbers,
        n_total=n_total,
        region=scene.crop,
        screen_side=scene.screen_side,
        has_calipers=seen.has_calipers,
        doubt=seen.doubt,
        header=header,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    scan: Mask
    overlay: Mask
    ink: Mask
    hidden: Mask
    has_calipers: bool
    doubt: str | None


def _see(frames: NDArray[np.uint8], colour: Mask, first: Picture, scene: Scene) -> _Seen:
    """Find scan and furniture, and refuse what is no B-mode image."""
    still = frames.min(axis=0)
    overlay = find_overlay(still, frames[0], colour, scene.screen_side)
    brightest = frames.max(axis=0)
    trace = None if scene.images else find_trace(frames[0], first)
    if trace is not None and trace.sure:
        overlay = overlay.with_furniture(trace.mask(brightest.shape))
    mask = _scan(brightest, overlay, scene)
    if trace is not None and trace.sure:
        check_trace(trace, mask)
    check_size(mask, scene.reduce)
    if not scene.images:
        check_page(brightest, first, overlay, sector_found=not mask.all())
    check_colour(brightest, mask, overlay)
    boxes = find_curved_boxes(still, mask, overlay.flow, scene.screen_side)
    overlay = overlay.with_strokes(boxes)
    return _Seen(
        scan=mask,
        overlay=_with_furniture(overlay.mask, scene),
        ink=overlay.ink,
        hidden=_with_furniture(overlay.broad, scene),
        has_calipers=bool((overlay.crosses & mask).any()),
        doubt=trace.code if trace is not None else None,
    )


def _analysis_reduction(shape: tuple[int, ...]) -> int:
    """Return by how much a huge picture is reduced to look for masks.

    The same as for a JPEG decoded at a reduced scale: a mask must not depend on the coding.
    """
    by = 1
    while max(shape) // (2 * by) >= LEAST_ANALYSIS_SIDE:
        by *= 2
    return by


def _reduced(frames: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    if by == 1:
        return frames
    return np.stack([np.asarray(Image.fromarray(frame).reduce(by)) for frame in frames])


def _enlarged(mask: Mask, by: int, shape: tuple[int, ...]) -> Mask:
    full = np.repeat(np.repeat(mask, by, axis=0), by, axis=1)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


def _scan(luma: Luma, overlay: Overlay, scene: Scene) -> Mask:
    """Find the scan in each declared image, or in the whole frame. A colour box is part of it."""
    luma = echoes_below(luma, overlay.no_evidence)
    evidence = np.where(overlay.colour_boxes, np.uint8(255), luma)
    no_evidence = overlay.no_evidence & (luma <= LEAST_ECHO)
    if not scene.images:
        return find_sector(evidence, no_evidence, declared=False)
    mask = np.zeros(luma.shape, dtype=np.bool_)
    for image in scene.images:
        part = scene.within(image)
        mask[part] |= find_sector(
            np.ascontiguousarray(evidence[part]),
            np.ascontiguousarray(no_evidence[part]),
            declared=True,
        )
    return mask


def _with_furniture(mask: Mask, scene: Scene) -> Mask:
    furnished = mask.copy()
    for rectangle in scene.furniture:
        rows, columns = scene.within(rectangle)
        if (rows.stop - rows.start) * (columns.stop - columns.start) < 0.3 * mask.size:
            furnished[rows, columns] = True
    return furnished
