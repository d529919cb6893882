"""A contact sheet: a row per operator, a column per level, for people to judge."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.ladder import LEVELS, apply
from sonoquality.degrade.operators import OPERATORS

GAP_PX, TITLE_PX = 4, 15
GROUND, INK = 48, 255


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
            changed = Image.fromarray(to_grey(apply(name, image, scan_mask, level, seed)))
            small = changed.resize((width_px, height_px), Image.Resampling.LANCZOS)
            sheet.paste(small, (corner[0], corner[1] + TITLE_PX))
            pen.text((corner[0] + 2, corner[1] + 1), title(name, level), fill=INK)
    return sheet


def title(name: str, level: int) -> str:
    """Say what a cell shows: the sign at level 0, the strength above."""
    operator = OPERATORS[name]
    if level == 0:
        return f"{name}: {operator.sign}"
    return f"{level}: {operator.parameters[level - 1]:g} {operator.unit}"


def to_grey(image: UnitImage) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Round [0, 1] to 8 bits."""
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
