"""Whether the worst box lies where the fault is: intersection over union, image by image."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Mask
from sonoquality.model import FrameQuality, QualityModel
from sonoquality.pooling import Box, worst_box
from sonoquality.training.calibrate import to_luma
from sonoquality.training.data import Row
from sonoquality.trials.pictures import name_of
from sonoquality.trials.table import Progress

FAULTS = ("SHA", "CON", "HAZ")
LEVELS = (3, 4, 5)
CODES = {"SHA": "shadowed", "CON": "poor_contact"}
"""Faults that a joined entry places itself, and the findings that they are."""
COLUMNS = ("image", "source", "group", "operator", "level", "area", "iou", "iou_boxes", "by_chance")


def run(
    path: Path,
    rows: Sequence[Row],
    model: QualityModel,
    progress: Progress,
    *,
    of_faults: bool = False,
) -> None:
    """Spoil images in one place each, ask for the worst box, and keep how well they meet.

    Args:
        path: CSV to write.
        rows: images.
        model: asked.
        progress: told.
        of_faults: ask for where the model places the fault itself, not for the worst box.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for i, row in enumerate(rows):
            table.writerows(_lines(row, model, of_faults=of_faults))
            progress("boxes", i + 1, len(rows))


def _lines(row: Row, model: QualityModel, *, of_faults: bool) -> list[list[object]]:
    luma, mask = row.read()
    unit = luma.astype(np.float32) / np.float32(255)
    lines: list[list[object]] = []
    for operator in CODES if of_faults else FAULTS:
        for level in LEVELS:
            area = degrade.affected_area(operator, unit, mask, level, row.seed)
            if area is None or not (area & mask).any():
                continue
            spoiled = to_luma(degrade.apply(operator, unit, mask, level, row.seed))
            said = model.score(spoiled[None], mask)[0]
            box = _told(said, CODES[operator]) if of_faults else worst_box(said.heat, mask)
            found = filled(box, mask)
            area = area & mask
            whole = [
                iou(found, area),
                iou(filled(_around(found), mask), filled(_around(area), mask)),
                iou(mask, area),
            ]
            lines.append(
                [
                    name_of(row),
                    row.source,
                    row.group,
                    operator,
                    level,
                    f"{area.sum() / mask.sum():.4f}",
                    *(f"{value:.4f}" for value in whole),
                ]
            )
    return lines


def _told(said: FrameQuality, code: str) -> Box | None:
    fault = said.faults.get(code)
    if fault is None or fault.box is None:
        return None
    left, top, width, height = fault.box
    return left, top, left + width, top + height


def iou(a: Mask, b: Mask) -> float:
    """Return the share of what either covers that both cover; 0 where neither does."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def filled(box: Box | None, mask: Mask) -> Mask:
    """Return the part of the scan inside a box."""
    filled = np.zeros_like(mask)
    if box is not None:
        left, top, right, bottom = box
        filled[top:bottom, left:right] = mask[top:bottom, left:right]
    return filled


def _around(part: Mask) -> Box | None:
    rows, columns = (np.flatnonzero(part.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
