"""Two faults of one scan at the same PSNR: does a distance know which of them spoils the outline?

One fault is put on at a level, the other's strength is found by halving an interval until its PSNR
is the same. PSNR itself can't tell the two apart.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Floats, UnitImage
from sonoquality.metrics.baselines.distances import psnr
from sonoquality.training.segmentation.ladders import write
from sonoquality.training.segmentation.meter import Meter, Outliner, eight_bits
from sonoquality.training.segmentation.probes import Probe, Scan

#: Faults of a place, at their levels, and what spoils the whole scan as much.
PAIRS = (("SHA", "SPK"), ("SHA", "DEF"), ("CON", "SPK"))
LEVELS = (3, 4, 5)
#: Weakest and strongest that may be put on to match, in the operator's unit.
RANGES: Mapping[str, tuple[float, float]] = {
    "SPK": (35.0, -25.0),
    "DEF": (0.3, 24.0),
}
FILE = "pairs.npz"
NEAR_DB, N_HALVINGS = 0.1, 12
Progress = Callable[[str, int, int], None]


def measure(
    found: Sequence[Probe], meter: Meter, outliner: Outliner, out: Path, progress: Progress
) -> None:
    """Write the matched pairs of every picture with an outline that has no such file yet."""
    with_outline = [probe for probe in found if probe.outline is not None]
    for number, probe in enumerate(with_outline, start=1):
        path = out / probe.name / FILE
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, _pairs(probe, meter, outliner))
        progress("pairs of the same PSNR", number, len(with_outline))


def read(out: Path, probe: Probe) -> Mapping[str, Floats] | None:
    """Return a picture's pairs, or None where they were not measured.

    Returns:
        `which` (pair, 2): number in `PAIRS` and level; `parts` (pair, 2, kind, tap, term), `plain`
        (pair, 2, one of `meter.PLAIN`) and `dice` (pair, 2): first the fault at its level, then the
        matched one; `clean`: Dice of the clean scan; `lost`: pairs that could not be matched.
    """
    path = out / probe.name / FILE
    if not path.exists():
        return None
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}


def matched(name: str, scan: Scan, wanted_db: float, seed: int) -> UnitImage | None:
    """Return the scan under a fault at a PSNR, or None where no strength comes near."""
    weak, strong = RANGES[name]
    for _ in range(N_HALVINGS):
        middle = (weak + strong) / 2
        picture = eight_bits(degrade.apply_at(name, scan.image, scan.mask, middle, seed))
        away_db = -psnr(scan.image, picture, scan.mask) - wanted_db
        if abs(away_db) <= NEAR_DB:
            return picture
        weak, strong = (middle, strong) if away_db > 0 else (weak, middle)
    return None


def _pairs(probe: Probe, meter: Meter, outliner: Outliner) -> dict[str, Floats]:
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
    clean = outliner.dice(probe.organ, scan, [scan.image])
    if not which:
        return {"which": np.zeros((0, 2)), "clean": clean, "lost": np.array(lost)}
    measured = meter.measure(scan, pictures)
    return {
        "which": np.array(which),
        "parts": measured.parts.reshape(len(which), 2, *measured.parts.shape[1:]),
        "plain": measured.plain.reshape(len(which), 2, -1),
        "dice": outliner.dice(probe.organ, scan, pictures).reshape(len(which), 2),
        "clean": clean,
        "lost": np.array(lost),
    }
