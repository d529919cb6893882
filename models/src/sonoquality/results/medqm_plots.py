"""The plots of MedQM's page: what faults cost, what is left of a diagnosis, who agrees."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sonoquality.results import rows
from sonoquality.results.medqm_rows import AGREEMENT, HARM, LOSSES
from sonoquality.results.panels import (
    COLOURS,
    GREY,
    LIGHT,
    Pen,
    corner_of,
    draw_frame,
    new_canvas,
    point_at,
    put_title,
)

QUALITIES_PNG, LOSSES_PNG, AGREEMENT_PNG = (
    "medqm-ladders.png",
    "medqm-losses.png",
    "medqm-agreement.png",
)
N_LEVELS = 5
SIDE, NAMES_WIDTH = 54, 130  #: of the matrix: a cell, and the names beside it, in pixels
Line = Mapping[int, float]
"""A number by level of a ladder."""


def qualities(folder: Path) -> Image.Image:
    """Draw the mean label along every ladder, a line for each organ.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    lines = rows.read(folder / HARM)
    clean = {line["organ"]: float(line["label"]) for line in lines if line["operator"] == "clean"}
    found: dict[str, dict[str, dict[int, float]]] = {}
    for line in lines:
        if int(line["level"]) > 0:
            own = found.setdefault(line["operator"], {}).setdefault(
                line["organ"], {0: clean[line["organ"]]}
            )
            own[int(line["level"])] = float(line["label"])
    return _ladders(found, sorted(clean), (0.0, 1.0), "mean label; 1: as good as clean")


def losses(folder: Path) -> Image.Image:
    """Draw the mean excess loss along every ladder, a line for each kind of diagnostician.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    for line in rows.read(folder / LOSSES):
        own = found.setdefault(line["operator"], {}).setdefault(line["kind"], {0: 0.0})
        own[int(line["level"])] = float(line["excess"])
    kinds = sorted({kind for own in found.values() for kind in own})
    most = max(value for own in found.values() for line in own.values() for value in line.values())
    return _ladders(found, kinds, (0.0, most), f"mean excess loss in SD, 0 to {most:.1f}")


def agreement(folder: Path) -> Image.Image:
    """Draw Kendall's tau of every two diagnosticians: training images above, validation below.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    pairs = rows.read(folder / AGREEMENT)
    names = sorted({line[side] for line in pairs for side in ("first", "second")})
    side = NAMES_WIDTH + SIDE * len(names)
    picture = Image.new("RGB", (side, side + 16), "white")
    pen = ImageDraw.Draw(picture)
    taus = {(line["first"], line["second"], line["split"]): float(line["tau"]) for line in pairs}
    for row, name in enumerate(names):
        top = NAMES_WIDTH + row * SIDE
        pen.text((NAMES_WIDTH - 6, top + SIDE // 2), _called(name), fill="black", anchor="rm")
        pen.multiline_text(
            (NAMES_WIDTH + row * SIDE + SIDE // 2, NAMES_WIDTH - 6),
            _called(name).replace(" ", "\n"),
            fill="black",
            anchor="md",
            align="center",
        )
        for column, other in enumerate(names):
            split = "train" if column > row else "val"
            pair = (name, other) if column > row else (other, name)
            _cell(pen, (NAMES_WIDTH + column * SIDE, top), taus.get((*pair, split)))
    said = "upper right: training images, out of fold; lower left: validation images"
    pen.text((6, side + 2), said, fill=GREY)
    return picture


def _cell(pen: Pen, corner: tuple[int, int], tau: float | None) -> None:
    left, top = corner
    if tau is None or not np.isfinite(tau):
        pen.rectangle((left, top, left + SIDE - 2, top + SIDE - 2), outline=LIGHT)
        return
    dark = round(255 * (1 - min(max(tau, 0.0), 1.0)))
    pen.rectangle((left, top, left + SIDE - 2, top + SIDE - 2), fill=(dark, dark, 255))
    ink = "white" if tau > 0.5 else "black"
    pen.text((left + SIDE // 2, top + SIDE // 2), f"{tau:.2f}", fill=ink, anchor="mm")


def _called(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _ladders(
    found: Mapping[str, Mapping[str, Line]],
    names: Sequence[str],
    bounds: tuple[float, float],
    said: str,
) -> Image.Image:
    """Draw a panel for each operator, those that end worst first, and one with the names."""

    def end(operator: str) -> float:
        return float(np.mean([line[max(line)] for line in found[operator].values()]))

    falls = bounds[1] == 1.0
    order = sorted(found, key=end, reverse=not falls)
    picture, pen = new_canvas(len(order) + 1)
    low, high = bounds
    for place, operator in enumerate(order):
        put_title(pen, place, operator, said)
        corner = corner_of(place)
        draw_frame(pen, corner)
        _axes(pen, corner, bounds)
        for number, name in enumerate(names):
            line = found[operator].get(name)
            if line is not None:
                _line(pen, corner, line, lambda v: 1 - (v - low) / (high - low), COLOURS[number])
    left, top = corner_of(len(order))
    for number, name in enumerate(names):
        pen.text((left, top + 14 * number), _called(name), fill=COLOURS[number])
    return picture


def _axes(pen: Pen, corner: tuple[int, int], bounds: tuple[float, float]) -> None:
    for text, height in ((f"{bounds[1]:.3g}", 0.0), (f"{bounds[0]:g}", 1.0)):
        pen.text((corner[0] - 26, point_at(corner, 0, height)[1] - 6), text, fill=GREY)
    for level in range(N_LEVELS + 1):
        where = point_at(corner, level / N_LEVELS, 1)
        pen.text((where[0] - 2, where[1] + 2), str(level), fill=GREY)


def _line(
    pen: Pen,
    corner: tuple[int, int],
    line: Line,
    down: Callable[[float], float],
    colour: str,
) -> None:
    points = [point_at(corner, level / N_LEVELS, down(line[level])) for level in sorted(line)]
    pen.line(points, fill=colour, width=2)
    for x, y in points:
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
