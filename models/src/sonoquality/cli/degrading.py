"""The command that puts known faults on a picture."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from sonoquality import degrade as ladder
from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.sheet import contact_sheet, to_grey
from sonoquality.images import KINDS, read_luma
from sonoquality.preprocess import scan_mask, working_image

EVERY = "all"
FIELDS = ("path", "operator", "level", "seed", "strength", "unit", "drawn")

Operators = Annotated[str, typer.Option("--operator", help="Name of an operator, or all.")]
Levels = Annotated[str, typer.Option("--level", help="1 to 5, or all.")]
Folder = Annotated[Path, typer.Option(help="Folder to write pictures, records and sheet to.")]
Frame = Annotated[int | None, typer.Option(help="Of a file with several, counted from 0.")]
Seed = Annotated[int, typer.Option(help="Places and noise; the same for every level.")]


def degrade(
    image: Annotated[Path, typer.Argument(help=f"{KINDS}.")],
    out: Folder,
    operator: Operators = EVERY,
    level: Levels = EVERY,
    *,
    seed: Seed = 0,
    frame: Frame = None,
) -> None:
    """Put faults on a picture: one PNG each, faults.csv with their parameters, and sheet.png.

    The picture is cut to its scan, whose longer side is reduced to 448 px: operators are given
    in pixels of that scale.
    """
    names, levels = _names(operator), _levels(level)
    grey, mask = _read(image, frame)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "faults.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=FIELDS)
        table.writeheader()
        for name in names:
            for each in levels:
                path = out / f"{image.stem}_{name}_{each}.png"
                Image.fromarray(to_grey(ladder.apply(name, grey, mask, each, seed))).save(path)
                found = asdict(ladder.record(name, grey, mask, each, seed))
                table.writerow({**found, "path": path.name, "drawn": json.dumps(found["drawn"])})
    contact_sheet(grey, mask, seed, names).save(out / "sheet.png", optimize=True)
    print(out / "sheet.png")


def _names(operator: str) -> tuple[str, ...]:
    if operator == EVERY:
        return tuple(ladder.OPERATORS)
    if operator not in ladder.OPERATORS:
        raise typer.BadParameter(f"There are {', '.join(ladder.OPERATORS)}, and {EVERY}.")
    return (operator,)


def _levels(level: str) -> tuple[int, ...]:
    if level == EVERY:
        return ladder.LEVELS
    if level not in map(str, ladder.LEVELS):
        raise typer.BadParameter(f"Levels are 1 to 5, and {EVERY}.")
    return (int(level),)


def _read(path: Path, frame: int | None) -> tuple[UnitImage, Mask]:
    """Return the scan of a picture and its mask, both (h, w), at working scale."""
    luma = read_luma(path, frame)
    working = working_image(luma, scan_mask(luma))
    width, height = working.size
    return working.image[:height, :width], working.mask[:height, :width]
