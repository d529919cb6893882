"""Sections of the joined verdict's page on faults: which are named, and where they are seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.results.joined import Copies
from sonoquality.results.joined_rows import BOXES
from sonoquality.results.tables import markdown
from sonoquality.trials.table import read

FINDING_FROM = 0.35  #: as the gate's settings have it
UNTAUGHT = ("ALI", "RF", "SLB", "DYR")
NAMED: Mapping[str, tuple[str, ...]] = {
    "SPK": ("noisy",),
    "RF": ("noisy",),
    "DEF": ("blurred",),
    "RES": ("blurred",),
    "ALI": ("blurred",),
    "SHA": ("shadowed",),
    "ATT": ("attenuated",),
    "G-": ("too_dark", "gain"),
    "G+": ("too_bright", "gain"),
    "TGC": ("gain",),
    "DYR": ("gain",),
    "REV": ("reverberation",),
    "HAZ": ("clutter",),
    "SLB": ("clutter",),
    "CON": ("poor_contact",),
    "MOT": ("motion",),
}
"""The findings that would be right for each operator."""


def finding_section(folder: Path) -> str:
    """Say which faults are named, by hand-made measures, by MedQM-I and by both.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    copies = Copies.read(folder)
    table = []
    for operator, codes in NAMED.items():
        own = copies.spoiled & (copies.text("operator") == operator) & (copies.level >= 3)
        if not own.any():
            continue
        ways = [_worst(copies, way, codes) for way in (("hand",), ("told",), ("hand", "told"))]
        table.append(
            [
                operator,
                " or ".join(codes),
                *(f"{100 * (way[own] >= FINDING_FROM).mean():.0f}" for way in ways),
            ]
        )
    by_code = []
    for code in sorted({code for codes in NAMED.values() for code in codes}):
        ways = [_worst(copies, way, (code,)) for way in (("hand",), ("told",), ("hand", "told"))]
        by_code.append(
            [code, *(f"{100 * (way[copies.clean] >= FINDING_FROM).mean():.1f}" for way in ways)]
        )
    return f"""## What is named

A finding is named from a severity of {FINDING_FROM:g}. Below, in % of the copies at levels 3 to 5
of each operator, whether its finding is named by the hand-made measures, by MedQM-I, and by the
worse of both, which is what the gate shows; {", ".join(UNTAUGHT)} were never taught.

{markdown(["operator", "finding", "by hand", "MedQM-I", "both"], table)}

On clean images, in % of {int(copies.clean.sum())}:

{markdown(["finding", "by hand", "MedQM-I", "both"], by_code)}"""


def place_section(folder: Path) -> str:
    """Say how well MedQM-I places what it tells.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    lines = [line for line in read(folder / BOXES) if line["level"] == "4"]
    table = []
    for operator in sorted({line["operator"] for line in lines}):
        own = [line for line in lines if line["operator"] == operator]
        met = [float(line["iou_boxes"]) for line in own]
        chance = [float(line["by_chance"]) for line in own]
        table.append([operator, str(len(own)), f"{np.median(met):.2f}", f"{np.median(chance):.2f}"])
    header = ["operator, level 4", "images", "IoU of the boxes, median", "of the whole scan"]
    return f"""## Where it is

MedQM-I says where it looks for a fault. On spoiled validation images its rectangle beside the one
around the spoiled area:

{markdown(header, table)}

Haze was tried as well (0.42 in the median of 25 images): only shadow and contact are placed."""


def _worst(copies: Copies, ways: Sequence[str], codes: Sequence[str]) -> Floats:
    found = [
        copies.column(f"{way}_{code}")
        for way in ways
        for code in codes
        if f"{way}_{code}" in copies.lines[0]
    ]
    return np.max(found, axis=0) if found else np.zeros(len(copies.lines))
