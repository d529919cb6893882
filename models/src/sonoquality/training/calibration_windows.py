"""Windows on which an exported encoder's 8-bit ranges are found and its features compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Floats, Windows
from sonoquality.preprocess import WINDOW, windows_of, working_image
from sonoquality.training.calibrate import GROSS, PHYSICS
from sonoquality.training.data import Row, allowed

N_IMAGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSample:
    """Windows of different images: each once clean and once grossly spoiled."""

    pixels: Windows  #: (n, 1, 224, 224) in [0, 1]
    masks: Windows  #: same shape, 1 in the mask
    images: tuple[str, ...]  #: SHA-256 of each image's file


def two_samples(rows: Sequence[Row], n_images: int = N_IMAGES) -> tuple[WindowSample, WindowSample]:
    """Return a sample to find ranges on and another, of other images, to compare on.

    Spoiled windows belong to it: ranges of clean ones alone would clip just what must stand out.
    """
    ordered = sorted(rows, key=lambda row: row.sha256)
    half = min(n_images, len(ordered) // 2)
    return _sample(ordered[:half]), _sample(ordered[half : 2 * half])


def _sample(rows: Sequence[Row]) -> WindowSample:
    pairs = [pair for row in allowed(rows) for pair in _windows(row)]
    return WindowSample(
        pixels=np.stack([pixels for pixels, _ in pairs]),
        masks=np.stack([mask for _, mask in pairs]),
        images=tuple(row.sha256 for row in rows),
    )


def _windows(row: Row) -> list[tuple[Windows, Windows]]:
    """Return the fullest window of an image, clean and spoiled, with its mask."""
    luma, mask = row.read()
    working = working_image(luma, mask)
    windows = windows_of(working)
    fullest = int(windows.areas.argmax())
    name = str(np.random.default_rng(row.seed).choice(PHYSICS))
    spoiled = degrade.apply(name, working.image, working.mask, GROSS, row.seed)
    top, left = windows.corners[fullest]
    cut = spoiled[top : top + WINDOW, left : left + WINDOW]
    mask_of = windows.masks[fullest]
    return [(windows.pixels[fullest], mask_of), (cut[None].astype(np.float32), mask_of)]


def differences(found: Windows, wanted: Windows) -> Floats:
    """Return (tap,): distance of pooled taps (n, tap, width), in parts of their spread."""
    away = np.linalg.norm(found - wanted, axis=2).mean(axis=0)
    spread = np.linalg.norm(wanted - wanted.mean(axis=0), axis=2).mean(axis=0)
    apart: Floats = (away / np.maximum(spread, 1e-12)).astype(np.float64)
    return apart
