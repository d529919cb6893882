"""Several faults on one image, in the order in which they happen: sound, electronics, storage."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.ladder import LEVELS, apply
from sonoquality.degrade.operators import LADDER, OPERATORS
from sonoquality.degrade.scene import shift_db

#: The view, physics, motion (frames are averaged after detection), electronics, the panel, the
#: display, storage, what is written over it (SCIENCE 7.4, which does not place ZOM and MOT).
ORDER = (
    *("ZOM", "ATT", "SHA", "CON", "DEF", "SLB", "REV", "HAZ", "SPK", "MOT"),
    *("RF", "G-", "G+", "TGC", "DYR", "QNT", "RES", "ALI", "JPG", "ANN"),
)
MOST_FAULTS = 3
PRISTINE_SHARE = 0.05  #: of drawn samples that stay as they are
JITTER_DB = 3.0  #: gain error that is no fault: level 0


def compose(faults: Mapping[str, int], image: UnitImage, scan_mask: Mask, seed: int) -> UnitImage:
    """Put faults (name to level) on an image (h, w), in the order in which they happen.

    Args:
        faults: at most one of each group of operators.
        image: (h, w) in [0, 1], as for `apply`.
        scan_mask: (h, w); nothing changes outside it.
        seed: as for `apply`; each operator draws from its own stream.

    Raises:
        ValueError: unknown operator or level, or two faults of one group.
    """
    unknown = sorted(set(faults) - set(ORDER))
    if unknown:
        raise ValueError(f"No operator {', '.join(unknown)}; there are {', '.join(OPERATORS)}.")
    groups = [OPERATORS[name].group for name in faults]
    if len(set(groups)) < len(groups):
        raise ValueError(f"Faults of one image come from different groups, not {groups}.")
    changed = np.clip(np.asarray(image, np.float32), 0, 1)
    for name in sorted(faults, key=ORDER.index):
        changed = apply(name, changed, scan_mask, faults[name], seed)
    return changed


def draw_faults(
    rng: Generator, names: Sequence[str] = LADDER, most: int = MOST_FAULTS
) -> Mapping[str, int]:
    """Draw up to `most` faults of different groups with their levels; 5 % of draws have none."""
    if rng.random() < PRISTINE_SHARE:
        return {}
    shuffled = [names[i] for i in rng.permutation(len(names))]
    of_groups = {OPERATORS[name].group: name for name in shuffled}
    n_faults = int(rng.integers(1, most + 1))
    chosen = rng.permutation(sorted(of_groups.values()))[:n_faults]
    return {str(name): int(rng.choice(LEVELS)) for name in chosen}


def jitter(image: UnitImage, scan_mask: Mask, seed: int) -> UnitImage:
    """Turn the gain of the scan by up to 3 dB: level 0, which must not move a score."""
    gain_db = float(np.random.default_rng(seed).uniform(-JITTER_DB, JITTER_DB))
    unit = np.clip(np.asarray(image, np.float32), 0, 1)
    return np.where(scan_mask, shift_db(unit, gain_db), unit).astype(np.float32)
