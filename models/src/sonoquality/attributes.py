"""Measure the faults that a sonographer can act on: how severe, and where.

Each severity is a ramp over a quantity with a plain meaning, from "as in ordinary images" (0) to
"as bad as it gets" (1). The ends of the ramps were set on training images and the ladder of
`degrade` so that few ordinary images pass 0.35; docs/results/baseline.md has the table. Faults
along the beams are found on the beam grid, faults of texture at working scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from sonoquality.arrays import Floats, Luma, Mask, ShapeError, UnitImage
from sonoquality.beamgrid import N_BEAMS, N_DEPTHS, BeamGrid, Box, beam_grid, whole_depth

CODES = (
    "empty",
    "poor_contact",
    "shadowed",
    "attenuated",
    "too_dark",
    "too_bright",
    "blurred",
    "noisy",
)

ECHO_LEVEL = 0.06  #: grey above which there is an echo at all
SKIN_END, NEAR_END, DEEP_FROM = 0.04, 0.30, 0.25  #: parts of the depth
WORKING_SIDE = 448  #: texture is measured with the frame's longer side reduced to this


@dataclass(frozen=True, slots=True)
class AttributeMeasure:
    """One fault in one frame."""

    severity: float  #: 0 absent, 1 as bad as it gets
    box: Box | None = None  #: (x, y, width, height) in frame pixels; None: everywhere or nowhere


def ramp(value: float, nothing: float, full: float) -> float:
    """Map a quantity to [0, 1]: 0 at `nothing`, 1 at `full` (which may be the lower), linearly."""
    return float(np.clip((value - nothing) / (full - nothing), 0.0, 1.0))


def measure(
    frame: Luma, scan_mask: Mask, overlay_mask: Mask, heat: UnitImage | None = None
) -> dict[str, AttributeMeasure]:
    """Measure every fault of `CODES` in one frame.

    Args:
        frame: (h, w) luminance, 0 to 255.
        scan_mask: (h, w) where tissue echoes may be.
        overlay_mask: (h, w) text and marks, left out.
        heat: (h, w) badness in [0, 1] of the quality model; places the box of blur and noise.

    Raises:
        ShapeError: the arrays differ in height or width.
    """
    if not frame.shape == scan_mask.shape == overlay_mask.shape:
        raise ShapeError(
            f"Frame {frame.shape}, scan mask {scan_mask.shape} and overlay mask "
            f"{overlay_mask.shape} must have one (height, width)."
        )
    scan = whole_depth(scan_mask)
    grid = beam_grid(frame, scan, overlay_mask, ECHO_LEVEL)
    silent = _silent_beams(grid)
    measures = {"empty": _empty(grid), "poor_contact": _poor_contact(grid, silent)}
    if measures["empty"].severity < 1:
        measures |= _along_beams(grid, silent)
        measures |= _texture(frame, scan & ~overlay_mask, heat)
    return {code: measures.get(code, AttributeMeasure(0.0)) for code in CODES}


def worse_of(
    measured: Mapping[str, AttributeMeasure], told: Mapping[str, AttributeMeasure]
) -> dict[str, AttributeMeasure]:
    """Join faults that were measured with those that the model tells: the more severe counts.

    Where both see one, it lies where it was measured. Where there are no echoes, nothing is told.
    """
    if measured["empty"].severity >= 1:
        return dict(measured)
    both = dict(measured)
    for code, fault in told.items():
        own = both.get(code)
        if own is None or own.severity < fault.severity:
            box = fault.box if own is None or own.box is None else own.box
            both[code] = AttributeMeasure(fault.severity, box)
    return both


def _depths() -> Floats:
    return (np.arange(N_DEPTHS) + 0.5) / N_DEPTHS


def _empty(grid: BeamGrid) -> AttributeMeasure:
    """No echoes below the ring of the probe: share of cells deeper than a quarter that are lit."""
    deep = grid.grey[_depths() > DEEP_FROM]
    lit = float(np.mean(deep[np.isfinite(deep)] > ECHO_LEVEL)) if np.isfinite(deep).any() else 0.0
    return AttributeMeasure(ramp(lit, 0.08, 0.03))


def _silent_beams(grid: BeamGrid) -> Mask:
    """Beams (beam,) dark from the skin down while others are lit, in runs of three or more."""
    depths = _depths()
    near = _mean(grid.grey[(depths > SKIN_END) & (depths < NEAR_END)], axis=0)
    all_lit = _mean(grid.lit_share[depths > SKIN_END], axis=0)
    others = float(np.percentile(near, 85))
    if others < 1.5 * ECHO_LEVEL:  # dark everywhere: a matter of gain, not of contact
        return np.zeros(N_BEAMS, np.bool_)
    return _runs((near < 0.30 * others) & (all_lit < 0.30), shortest=3)


def _runs(flags: Mask, shortest: int) -> Mask:
    """Keep runs of True of at least `shortest`."""
    return np.asarray(ndimage.binary_opening(flags, np.ones(shortest, np.bool_)), np.bool_)


def _mean(values: UnitImage, axis: int) -> UnitImage:
    """Mean over finite cells; 0 where there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis=axis)
    return np.asarray(total / np.maximum(finite.sum(axis=axis), 1), np.float32)


def _poor_contact(grid: BeamGrid, silent: Mask) -> AttributeMeasure:
    """Share of beams that are dark from the skin down."""
    severity = ramp(float(silent.mean()), 0.06, 0.40)
    cells = np.broadcast_to(silent, (N_DEPTHS, N_BEAMS))
    return AttributeMeasure(severity, grid.box_of(cells) if severity > 0 else None)


def _along_beams(grid: BeamGrid, silent: Mask) -> dict[str, AttributeMeasure]:
    shadow = _shadow_cells(grid, silent)
    return {
        "shadowed": _boxed(grid, shadow, ramp(float(shadow.mean()), 0.02, 0.17)),
        "attenuated": _attenuated(grid, silent),
        "too_dark": _too_dark(grid, silent, shadow),
        "too_bright": _too_bright(grid),
    }


def _boxed(grid: BeamGrid, cells: Mask, severity: float) -> AttributeMeasure:
    return AttributeMeasure(severity, grid.box_of(cells) if severity > 0 else None)


def _shadow_cells(grid: BeamGrid, silent: Mask) -> Mask:
    """Cells (depth, beam) of dark columns that begin below lit tissue and reach the deep end.

    Dark means below 0.35 of the other beams at that depth; depths where those are dark themselves
    say nothing, so that lost penetration does not count as shadow.
    """
    level = _percentile(np.where(silent, np.nan, grid.grey), 60)
    tells = np.isfinite(grid.grey) & (level > 1.5 * ECHO_LEVEL)[:, None]
    dark = tells & (grid.grey < np.maximum(0.7 * ECHO_LEVEL, 0.35 * level)[:, None])
    below, dark_below = (np.cumsum(cells[::-1], axis=0)[::-1] for cells in (tells, dark))
    reaches_end = dark & (dark_below >= 0.85 * below) & (dark_below >= 0.2 * N_DEPTHS)
    tail = np.logical_or.accumulate(reaches_end, axis=0) & tells
    depths = _depths()
    near = _mean(grid.grey[(depths > SKIN_END) & (depths < 0.15)], axis=0)
    beams = _runs((near > ECHO_LEVEL) & ~silent & tail.any(axis=0), shortest=2)
    return np.asarray(tail & beams, np.bool_)


def _percentile(rows: UnitImage, q: float) -> UnitImage:
    """Percentile over each row's finite cells; 0 for a row without any."""
    in_order = np.sort(rows, axis=1)  # NaN goes last
    n_finite = np.isfinite(rows).sum(axis=1)
    place = np.maximum((n_finite - 1) * (q / 100), 0).round().astype(np.intp)
    value = np.take_along_axis(in_order, place[:, None], axis=1)[:, 0]
    return np.where(n_finite > 0, value, 0).astype(np.float32)


def _attenuated(grid: BeamGrid, silent: Mask) -> AttributeMeasure:
    """Share of the depth that lies below the last lit row, while the upper part has echoes."""
    rows = _percentile(np.where(silent, np.nan, grid.grey), 60)
    smooth = ndimage.uniform_filter1d(rows, 3, mode="nearest")
    lit = np.flatnonzero(smooth > 0.10)
    top = float(smooth[: int(0.4 * N_DEPTHS)].max())
    if len(lit) == 0 or top < 0.15:
        return AttributeMeasure(0.0)
    lost = (N_DEPTHS - 1 - int(lit[-1])) / N_DEPTHS
    cells = np.broadcast_to((np.arange(N_DEPTHS) > lit[-1])[:, None], (N_DEPTHS, N_BEAMS))
    return _boxed(grid, cells, ramp(lost, 0.35, 0.62))


def _too_dark(grid: BeamGrid, silent: Mask, shadow: Mask) -> AttributeMeasure:
    """Bright echoes are missing, or most of what sound reaches is black."""
    reached = np.isfinite(grid.grey) & ~silent[None, :] & ~shadow
    if not reached.any():
        return AttributeMeasure(0.0)
    bright = float(np.percentile(grid.grey[reached], 90))
    black = float(np.mean(grid.lit_share[reached] < 0.25))
    return AttributeMeasure(max(ramp(bright, 0.26, 0.10), ramp(black, 0.50, 0.95)))


def _too_bright(grid: BeamGrid) -> AttributeMeasure:
    """The darkest tenth is no longer dark, or much is at the white end."""
    grey = grid.grey[np.isfinite(grid.grey)]
    white = grid.grey > 0.80
    severity = max(
        ramp(float(np.percentile(grey, 10)), 0.28, 0.50),
        ramp(float(np.percentile(grey, 50)), 0.52, 0.80),
        ramp(float(white.mean()), 0.06, 0.35),
    )
    return AttributeMeasure(severity)


def _texture(frame: Luma, seen: Mask, heat: UnitImage | None) -> dict[str, AttributeMeasure]:
    """Sharpness and grain from the energy of neighbouring scales, where there are echoes."""
    grey, lit = _at_working_scale(frame, seen)
    small, middle, wide = (ndimage.uniform_filter(grey, size) for size in (3, 7, 13))
    lit &= (middle > 1.3 * ECHO_LEVEL) & (middle < 0.9)
    if lit.sum() < 400:
        return {}
    fine = float(np.abs(small - middle)[lit].mean()) / max(
        float(np.abs(middle - wide)[lit].mean()), 1e-6
    )
    grain = float(np.median(np.abs(grey - small)[lit][::4]))
    one, two, eight = (_step(grey, lit, pixels) for pixels in (1, 2, 8))
    blurred = 0.5 * (ramp(one / two, 0.518, 0.503) + ramp(one / eight, 0.172, 0.135))
    noisy = min(ramp(fine, 1.28, 1.60), ramp(grain, 0.010, 0.018))
    is_any = blurred > 0 or noisy > 0
    box = _worst_box(heat, seen) if is_any and heat is not None else None
    return {
        "blurred": AttributeMeasure(blurred, box if blurred > 0 else None),
        "noisy": AttributeMeasure(noisy, box if noisy > 0 else None),
    }


def _step(grey: UnitImage, lit: Mask, pixels: int) -> float:
    """Mean change of grey over a distance across the picture; of a blurred one it grows evenly."""
    return max(float(np.abs(grey[:, pixels:] - grey[:, :-pixels])[lit[:, pixels:]].mean()), 1e-6)


def _at_working_scale(frame: Luma, seen: Mask) -> tuple[UnitImage, Mask]:
    """Reduce a frame (never enlarge) to the working scale, and the mask with it."""
    scale = WORKING_SIDE / max(frame.shape)
    picture, mask = Image.fromarray(frame), seen
    if scale < 1:
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        small = Image.fromarray(seen.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        mask = np.asarray(small) > 0
    inner = ndimage.minimum_filter(mask, 9, mode="constant")
    kept = inner if inner.sum() >= 400 else mask
    return np.asarray(picture, np.float32) / np.float32(255), np.array(kept, np.bool_)


def _worst_box(heat: UnitImage, seen: Mask) -> Box | None:
    """Return the (x, y, width, height) around the largest part of the worst 15 % of a heat map."""
    if not seen.any() or float(np.ptp(heat[seen])) == 0:
        return None
    worst = seen & (heat > 0) & (heat >= float(np.percentile(heat[seen], 85)))
    labels, n_parts = ndimage.label(worst)
    if n_parts == 0:
        return None
    largest = int(np.bincount(labels.ravel())[1:].argmax())
    rows, columns = ndimage.find_objects(labels)[largest]
    return (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
