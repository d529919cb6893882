"""A sheet for people to judge heat maps by: faults of one place, where they are, what is found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask, UnitImage
from sonoquality.degrade.operators import OPERATORS
from sonoquality.model import FrameQuality, QualityModel
from sonoquality.pooling import Box, worst_box
from sonoquality.preprocess import working_image
from sonoquality.training.calibrate import to_luma
from sonoquality.trials.boxes import filled, iou
from sonoquality.trials.pictures import CLEAN
from sonoquality.trials.table import Progress

FAULTS = ("SHA", "CON", "HAZ", "REV", "SLB", "DEF")
LEVEL = 4
#: Faults that act everywhere count as spoiling where they change the grey, smoothed, by so much.
SMOOTH_PX, SPOILT = 6.0, 8 / 255
WIDTH_PX, GAP_PX, TITLE_PX = 224, 4, 14
GROUND, INK = (48, 48, 48), (255, 255, 255)
AREA_COLOUR, HEAT_COLOUR, BOX_COLOUR = (0, 170, 255), (255, 70, 0), (255, 230, 0)
MOST_COVERED = 0.75  #: of the grey below, where the heat is full
COLOURS = 256

Coloured = NDArray[np.uint8]
"""(height, width, 3) RGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One picture without a fault, at working scale."""

    name: str
    luma: Luma
    mask: Mask
    seed: int  #: places and noise of the faults

    @classmethod
    def of(cls, name: str, luma: Luma, mask: Mask, seed: int) -> "Subject":
        """Cut a picture to its scan and reduce it, as faults and model have it."""
        working = working_image(luma, mask)
        width, height = working.size
        cut = to_luma(working.image[:height, :width]), working.mask[:height, :width]
        return cls(name=name, luma=cut[0], mask=cut[1], seed=seed)


def sheet(subjects: Sequence[Subject], model: QualityModel, progress: Progress) -> Image.Image:
    """Draw a row for each picture as it is and under each fault at level 4.

    Columns: the picture, where it is spoilt, the heat map over it, and the worst box.
    """
    rows = []
    for i, subject in enumerate(subjects):
        rows += [_row(subject, operator, model) for operator in (CLEAN, *FAULTS)]
        progress("maps", i + 1, len(subjects))
    height = sum(row.height + GAP_PX for row in rows)
    whole = Image.new("RGB", (4 * (WIDTH_PX + GAP_PX), height), GROUND)
    top = 0
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height + GAP_PX
    return whole.quantize(COLOURS)


def spoilt_area(operator: str, subject: Subject, spoiled: Luma) -> Mask:
    """Return where in the scan a fault of level 4 is: its area, or where it changed the grey."""
    unit = _unit(subject.luma)
    area = degrade.affected_area(operator, unit, subject.mask, LEVEL, subject.seed)
    if area is None:
        change = np.abs(_unit(spoiled) - unit)
        area = ndimage.gaussian_filter(change, SMOOTH_PX) > SPOILT
    return area & subject.mask


def _unit(luma: Luma) -> UnitImage:
    return luma.astype(np.float32) / np.float32(255)


def _row(subject: Subject, operator: str, model: QualityModel) -> Image.Image:
    luma, area = subject.luma, np.zeros_like(subject.mask)
    if operator != CLEAN:
        unit = _unit(luma)
        luma = to_luma(degrade.apply(operator, unit, subject.mask, LEVEL, subject.seed))
        area = spoilt_area(operator, subject, luma)
    found = model.score(luma[None], subject.mask)[0]
    box = worst_box(found.heat, subject.mask)
    return _drawn(luma, area, found, box, _titles(subject, operator, area, found, box))


def _titles(
    subject: Subject, operator: str, area: Mask, found: FrameQuality, box: Box | None
) -> tuple[str, ...]:
    quality = f"quality {found.quality:.0f}"
    hit = "" if box is not None else "none"
    if operator == CLEAN:
        return f"{subject.name}, as it is", "", quality, hit
    if box is not None:
        hit = f"IoU {iou(filled(box, subject.mask), area):.2f}"
    share = f"{area.sum() / subject.mask.sum():.0%} of the scan"
    return f"{operator} {LEVEL}: {OPERATORS[operator].sign}", share, quality, hit


def _drawn(
    luma: Luma, area: Mask, found: FrameQuality, box: Box | None, titles: Sequence[str]
) -> Image.Image:
    grey = np.repeat(luma[..., None], 3, axis=2)
    edge = area & ~ndimage.binary_erosion(area, iterations=2)
    cells = (
        grey,
        _tinted(grey, 0.3 * area + 0.7 * edge, AREA_COLOUR),
        _tinted(grey, MOST_COVERED * found.heat, HEAT_COLOUR),
        grey,
    )
    size = WIDTH_PX, round(WIDTH_PX * luma.shape[0] / luma.shape[1])
    row = Image.new("RGB", (4 * (WIDTH_PX + GAP_PX), size[1] + TITLE_PX), GROUND)
    pen = ImageDraw.Draw(row)
    for place, (cell, title) in enumerate(zip(cells, titles, strict=True)):
        left = place * (WIDTH_PX + GAP_PX)
        row.paste(Image.fromarray(cell).resize(size, Image.Resampling.LANCZOS), (left, TITLE_PX))
        pen.text((left + 2, 1), title, fill=INK)
    if box is not None:
        scale, left = WIDTH_PX / luma.shape[1], 3 * (WIDTH_PX + GAP_PX)
        x0, y0, x1, y1 = (round(scale * side) for side in box)
        corners = (left + x0, TITLE_PX + y0, left + x1 - 1, TITLE_PX + y1 - 1)
        pen.rectangle(corners, outline=BOX_COLOUR, width=2)
    return row


def _tinted(grey: Coloured, share: NDArray[np.floating], colour: tuple[int, int, int]) -> Coloured:
    """Lay a colour over grey, as thick as its share (height, width) says."""
    mixed = grey * (1.0 - share[..., None]) + np.array(colour) * share[..., None]
    tinted: Coloured = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return tinted
