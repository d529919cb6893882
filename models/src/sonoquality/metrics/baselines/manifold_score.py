"""The shipped no-weights model as a baseline, in plain numpy."""

from functools import cache
from pathlib import Path

import numpy as np

from sonoquality.arrays import Mask, UnitImage
from sonoquality.card import ModelCard
from sonoquality.metrics import manifold as manifolds
from sonoquality.metrics.baselines.dct import window_features
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.reference import image_badness
from sonoquality.preprocess import WINDOW, WorkingImage, windows_of
from sonoquality.zoo import PARENT_FILE, default_zoo

ENTRY = Path("dct-manifold") / "1.0.0"


@cache
def _shipped() -> tuple[Manifold, ModelCard]:
    entry = default_zoo() / ENTRY
    (window,) = manifolds.load(entry / PARENT_FILE, "window")
    return window, ModelCard.read(entry)


def dct_manifold(image: UnitImage, mask: Mask) -> float:
    """Minus the badness of a working image (h, w): robust deviations from clean scans."""
    window, card = _shipped()
    pad = [(0, max(WINDOW - side, 0)) for side in image.shape]
    height, width = image.shape
    windows = windows_of(
        WorkingImage(
            image=np.pad(image, pad),
            mask=np.pad(mask, pad),
            box=(0, 0, width, height),
            size=(width, height),
        )
    )
    values = window.badness(window_features(windows.pixels, windows.masks))
    return -image_badness(values, windows.areas, card.tail_share, card.tail_weight)[2]
