"""Two faults of one scan at the same PSNR: does a distance know which of them spoils the outline?

One fault is put on at a level, the other's strength is found by halving an interval until its PSNR
is the same. PSNR itself can't tell the two apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Floats, UnitImage
from sonoquality.degrade.matched import matched_strength
from sonoquality.metrics.baselines.distances import psnr
from sonoquality.training.segmentation.ladders import Meters, missing, write
from sonoquality.training.segmentation.meter import Meter, Outliner, eight_bits
from sonoquality.training.segmentation.probes import Probe, Scan

#: Faults of a place, at their levels, and what spoils the whole scan as much.
PAIRS = (("SHA", "SPK"), ("SHA", "DEF"), ("CON", "SPK"))
LEVELS = (3, 4, 5)
FILE = "pairs.npz"
Progress = Callable[[str, int, int], None]


def measure(found: Sequence[Probe], meters: Meters, outliner: Outliner, progress: Progress) -> None:
    """Write the matched pairs of every picture with an outline, where there is no such file yet."""
    with_outline = [probe for probe in found if probe.outline is not None]
    for number, probe in enumerate(with_outline, start=1):
        wanted = missing(meters, f"{probe.name}/{FILE}")
        if wanted:
            made = _make(probe, outliner)
            for path, meter in wanted.items():
                write(path, _measured(probe, made, meter))
        progress("pairs of the same PSNR", number, len(with_outline))


def read(out: Path, probe: Probe) -> Mapping[str, Floats] | None:
    """Return a picture's pairs, or None where they were not measured.

    Returns:
        `which` (pair, 2): number in `PAIRS` and level; `parts` (pair, 2, power, kind, tap, term),
        `plain` (pair, 2, one of `meter.PLAIN`) and `dice` (pair, 2): first the fault at its level,
        then the matched one; `clean`: Dice of the clean scan; `lost`: how many had no match.
    """
    path = out / probe.name / FILE
    if not path.exists():
        return None
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}


def matched(name: str, scan: Scan, wanted_db: float, seed: int) -> UnitImage | None:
    """Return the scan under a fault at a PSNR, or None where no strength comes near."""
    strength = matched_strength(name, scan.image, scan.mask, wanted_db, seed)
    if strength is None:
        return None
    return eight_bits(degrade.apply_at(name, scan.image, scan.mask, strength, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The pairs of one picture."""

    pictures: list[UnitImage]  #: fault and match by turns
    numbers: dict[str, Floats]  #: what is kept of them, but for distances


def _make(probe: Probe, outliner: Outliner) -> _Made:
    scan, seed = probe.read(), probe.row.seed
    which, pictures, lost = [], [], 0
    for number, (name, other) in enumerate(PAIRS):
        for level in LEVELS:
            anchor = eight_bits(degrade.apply(name, scan.image, scan.mask, level, seed))
            wanted_db = -psnr(scan.image, anchor, scan.mask)
            partner = matched(other, scan, wanted_db, seed)
            if partner is None:
                lost += 1
                continue
            which.append((number, level))
            pictures += [anchor, partner]
    dice = outliner.dice(probe.organ, scan, [scan.image, *pictures])
    numbers = {
        "which": np.array(which, np.float64).reshape(-1, 2),
        "clean": dice[:1],
        "dice": dice[1:].reshape(-1, 2),
        "lost": np.array(lost),
    }
    return _Made(pictures=pictures, numbers=numbers)


def _measured(probe: Probe, made: _Made, meter: Meter) -> dict[str, Floats]:
    if not made.pictures:
        return made.numbers
    measured = meter.measure(probe.read(), made.pictures)
    n_pairs = len(made.pictures) // 2
    return {
        **made.numbers,
        "parts": measured.parts.reshape(n_pairs, 2, *measured.parts.shape[1:]),
        "plain": measured.plain.reshape(n_pairs, 2, measured.plain.shape[1]),
    }
