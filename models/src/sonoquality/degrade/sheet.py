"""A contact sheet: a row per operator, a column per level, for people to judge."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from sonoquality.arrays import Luma, Mask, UnitImage
from sonoquality.degrade.ladder import LEVELS, apply
from sonoquality.degrade.operators import OPERATORS

GAP_PX, TITLE_PX = 4, 15
GROUND, INK = 48, 255
#: Faults of single pixels and lines: they are shown on a part of the scan, pixel for pixel.
FINE = ("SPK", "RF", "SLB", "DEF", "MOT", "RES", "ALI", "JPG", "QNT")


def contact_sheet(
    image: UnitImage,
    scan_mask: Mask,
    seed: int,
    names: Sequence[str] = tuple(OPERATORS),
    *,
    width_px: int = 200,
) -> Image.Image:
    """Draw an image (h, w) under operators at level 0 to 5, each `width_px` wide, with titles."""
    height_px = round(width_px * image.shape[0] / image.shape[1])
    cell = width_px + GAP_PX, height_px + TITLE_PX + GAP_PX
    sheet = Image.new("L", (cell[0] * (len(LEVELS) + 1), cell[1] * len(names)), GROUND)
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        for level in (0, *LEVELS):
            corner = level * cell[0], row * cell[1]
            grey = to_grey(apply(name, image, scan_mask, level, seed))
            shown = _part(grey, scan_mask, (width_px, height_px)) if name in FINE else grey
            small = Image.fromarray(shown).resize((width_px, height_px), Image.Resampling.LANCZOS)
            sheet.paste(small, (corner[0], corner[1] + TITLE_PX))
            pen.text((corner[0] + 2, corner[1] + 1), _title(name, level), fill=INK)
    return sheet


def _part(grey: Luma, scan_mask: Mask, size: tuple[int, int]) -> Luma:
    """Cut (width, height) out of the middle of the scan; the whole where it is smaller."""
    row, col = (round(float(np.median(at))) for at in np.nonzero(scan_mask))
    top = min(max(0, row - size[1] // 2), max(0, grey.shape[0] - size[1]))
    left = min(max(0, col - size[0] // 2), max(0, grey.shape[1] - size[0]))
    return np.ascontiguousarray(grey[top : top + size[1], left : left + size[0]])


def _title(name: str, level: int) -> str:
    """Say what a cell shows: the sign at level 0, the strength above."""
    operator = OPERATORS[name]
    if level == 0:
        return f"{name}: {operator.sign}"
    return f"{level}: {operator.parameters[level - 1]:g} {operator.unit}"


def to_grey(image: UnitImage) -> Luma:
    """Round [0, 1] to 8 bits."""
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
