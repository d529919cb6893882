"""A fault at the strength that costs a wanted PSNR, found by halving an interval."""

from collections.abc import Mapping

import numpy as np

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.ladder import apply_at

#: Weakest and strongest that may be put on to match, in the operator's unit.
RANGES: Mapping[str, tuple[float, float]] = {
    "SPK": (35.0, -25.0),
    "DEF": (0.3, 24.0),
}
NEAR_DB, N_HALVINGS = 0.1, 12


def matched_strength(
    name: str, image: UnitImage, scan_mask: Mask, wanted_db: float, seed: int
) -> float | None:
    """Return the strength of a fault that leaves a PSNR within 0.1 dB, or None if none does.

    Args:
        name: key of `RANGES`.
        image: (h, w) grey in [0, 1] at working scale.
        scan_mask: (h, w); PSNR counts inside it.
        wanted_db: PSNR of the spoiled picture, in 8 bits, against the image.
        seed: places and noise.
    """
    weak, strong = RANGES[name]
    for _ in range(N_HALVINGS):
        middle = (weak + strong) / 2
        picture = eight_bits(apply_at(name, image, scan_mask, middle, seed))
        away_db = psnr_db(image, picture, scan_mask) - wanted_db
        if abs(away_db) <= NEAR_DB:
            return middle
        weak, strong = (middle, strong) if away_db > 0 else (weak, middle)
    return None


def psnr_db(a: UnitImage, b: UnitImage, scan_mask: Mask) -> float:
    """Return the peak signal-to-noise ratio inside a scan, for a peak of 1; infinite if equal."""
    error = float(np.mean((a[scan_mask] - b[scan_mask]) ** 2, dtype=np.float64))
    return float(10 * np.log10(1 / error)) if error else float("inf")


def eight_bits(image: UnitImage) -> UnitImage:
    """Round to the 256 greys that a file has."""
    return np.asarray(np.rint(image * 255) / np.float32(255), np.float32)
