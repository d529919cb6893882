"""The sections on what must not move NRQ, and on where it says the worst is."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sonoquality.arrays import Floats
from sonoquality.degrade import LADDER, LEVELS
from sonoquality.results.nrq_alarms import CLEAN_CSV
from sonoquality.results.nrq_ladders import MODEL_CSV
from sonoquality.results.tables import Images, interval, markdown
from sonoquality.trials.judges import QUALITY, WINDOWS
from sonoquality.trials.pictures import CLEAN, VARIATIONS
from sonoquality.trials.table import read

VARIATIONS_CSV, BOXES_CSV = "nrq-variations-model.csv", "nrq-boxes.csv"
PICTURE = "nrq-steady.png"
ASKED_POINTS = 3.0
ASKED_DRIFT = 0.2
ASKED_IOU = 0.4
CHOSEN_ON = 20  #: images, the first of the trial, on which the box's rule was chosen
SIZES = ("6 windows", "4 windows", "1 window")
WHOLE = "9 windows"
BAR, ROW, LEFT = 420, 18, 170  #: px of the plot


def steady_section(folder: Path) -> str:
    """Say how far copies that are no worse move the quality, beside what faults do."""
    changes = variation_changes(folder)
    lines = [
        [
            name,
            len(change),
            f"{np.median(np.abs(change)):.1f}",
            f"{np.quantile(np.abs(change), 0.95):.1f}",
            f"{np.median(change):+.1f}",
            "" if name in (*SIZES, WHOLE) else _asked(float(np.median(np.abs(change)))),
        ]
        for name, change in changes.items()
    ]
    clean = np.array([float(line[QUALITY]) for line in read(folder / CLEAN_CSV)])
    spread = float(np.subtract(*np.quantile(clean, [0.75, 0.25])))
    drift = max(abs(float(np.median(changes[name]))) for name in SIZES) / spread
    met = "reached" if drift < ASKED_DRIFT else "missed"
    header = ["copy", "images", "median move", "95th percentile", "median change", "asked < 3"]
    return f"""## What should not move it

Quality of validation images beside copies that are no worse, in points of 100. Crops are compared
with the middle 9 windows of the same image: the largest median change by size is {drift:.2f} of
the clean images' interquartile range ({spread:.1f} points), asked < {ASKED_DRIFT}: {met}.

{markdown(header, lines)}

The same against what faults do, mean over the 18 faults:

![Median move by copies that are no worse, median fall by level](../images/{PICTURE})"""


def _asked(move: float) -> str:
    return "reached" if move < ASKED_POINTS else "missed"


def variation_changes(folder: Path) -> Mapping[str, Floats]:
    """Return the change of quality of each image by variation; of crops, from nine windows."""
    lines = read(folder / VARIATIONS_CSV)
    by = {(line["image"], line["operator"]): line for line in lines}
    images = list(dict.fromkeys(line["image"] for line in lines))
    found = {}
    for name in VARIATIONS:
        start = WHOLE if name in SIZES else CLEAN
        pairs = [(by[image, start], by[image, name]) for image in images]
        if name in SIZES:
            pairs = [pair for pair in pairs if pair[0][WINDOWS] == "9"]
        found[name] = np.array([float(b[QUALITY]) - float(a[QUALITY]) for a, b in pairs])
    return found


def plot(folder: Path) -> Image.Image:
    """Draw both kinds of change as bars: what should be short above, what should be long below."""
    moves = {name: float(np.median(np.abs(c))) for name, c in variation_changes(folder).items()}
    falls = {f"faults, level {level}": _fall(folder, level) for level in LEVELS}
    bars = [*moves.items(), *falls.items()]
    longest = max(value for _, value in bars)
    picture = Image.new("L", (LEFT + BAR + 60, ROW * len(bars) + 10), 255)
    draw = ImageDraw.Draw(picture)
    for place, (name, value) in enumerate(bars):
        top = 5 + place * ROW
        end = LEFT + round(BAR * value / longest)
        draw.text((6, top + 2), name, fill=0)
        draw.rectangle((LEFT, top + 2, end, top + ROW - 4), fill=150 if name in moves else 60)
        draw.text((end + 5, top + 2), f"{value:.1f}", fill=0)
    return picture


def _fall(folder: Path, level: int) -> float:
    lines = read(folder / MODEL_CSV)
    clean = {x["image"]: float(x[QUALITY]) for x in lines if x["operator"] == CLEAN}
    falls = [
        np.median(
            [
                clean[x["image"]] - float(x[QUALITY])
                for x in lines
                if x["operator"] == name and x["level"] == str(level)
            ]
        )
        for name in LADDER
    ]
    return float(np.mean(falls))


def box_section(folder: Path) -> str:
    """Say how well the worst box meets the spoiled area."""
    lines = read(folder / BOXES_CSV)
    table = [_box_line(lines, operator) for operator in dict.fromkeys(x["operator"] for x in lines)]
    header = ["fault, level 4", "images", "IoU with the area", "not chosen on"]
    others = ["IoU of boxes", "whole scan's IoU", "asked"]
    return f"""## Where the worst is

Intersection over union of the worst box with the area that a fault spoiled, both within the scan;
median over validation images with its interval. Beside it: of the images that the box was not
chosen on, of the boxes around both, and what taking the whole scan would give. Asked:
\u2265 {ASKED_IOU}. A cell speaks for the box by its heat above the mean of the scan; that rule was
chosen among 27 on the first {CHOSEN_ON} images, four of each source.

{markdown([*header, *others], table)}

Shadow is the hardest of the three: its half-dark edges are hot and its black core is not, since
clean images too have black without grain. The 27 rules counted a cell by its heat above a fixed
value, or above the mean, the median or another quantile of the scan's; none makes the core hot. A
finding of its own looks for shadow, and the gate says it beside the score."""


def _box_line(lines: Sequence[Mapping[str, str]], operator: str) -> list[object]:
    own = [x for x in lines if x["operator"] == operator and x["level"] == "4"]
    groups = [x["group"] for x in own]
    values = {
        key: np.array([float(x[key]) for x in own]) for key in ("iou", "iou_boxes", "by_chance")
    }

    def middle(key: str, some: Images) -> float:
        return float(np.median(values[key][some]))

    found = interval(partial(middle, "iou"), groups)
    unchosen = np.arange(CHOSEN_ON, len(own))
    rest = f"{middle('iou', unchosen):.2f}" if len(unchosen) else ""
    met = "reached" if found.value >= ASKED_IOU else "missed"
    others = [f"{np.median(values[key]):.2f}" for key in ("iou_boxes", "by_chance")]
    return [operator, len(own), found, rest, *others, met]
