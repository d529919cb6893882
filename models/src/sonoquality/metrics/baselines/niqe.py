"""NIQE refitted on ultrasound: distance of an image's statistics from those of clean scans.

Patches are described by natural scene statistics at two scales, 36 numbers; clean patches and those
of the image are each taken for one Gaussian, and the distance of the two counts:
sqrt((m1 - m2)' ((S1 + S2)/2)^+ (m1 - m2)) (Mittal 2013). The published model knows photographs;
ours is fitted on our training images (`sonoquality.training.niqe`). The paper learns from patches
three quarters as sharp as the sharpest; which those are is anatomy here, and learning from all
tells faults better (AUROC .855 against .819, on calibration groups of the training split).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats, Mask, UnitImage
from sonoquality.metrics.baselines.natural import halved, normalise, patch_features, patches

MODEL_FILE = Path(__file__).with_name("niqe.npz")
PATCH_PX = 96  #: as in the paper; 48, 64 and 128 tell faults less well
STRIDE_PX = 48
LEAST_SHARE = 0.75  #: of a patch in the mask


@dataclass(frozen=True, slots=True)
class NiqeModel:
    """The Gaussian of clean patches."""

    mean: Floats  #: (36,)
    covariance: Floats  #: (36, 36)
    n_images: int
    n_patches: int

    def distance(self, features: Floats) -> float:
        """Return how far the patches of an image (patch, 36) are from clean; 0 is best."""
        own = (
            np.cov(features, rowvar=False) if len(features) > 1 else np.zeros_like(self.covariance)
        )
        away = self.mean - features.mean(axis=0)
        inverse = np.linalg.pinv((self.covariance + own) / 2)
        return float(np.sqrt(max(float(away @ inverse @ away), 0.0)))

    def save(self, path: Path) -> None:
        """Write the model; about 6 kB."""
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            covariance=self.covariance.astype(np.float32),
            n_images=np.int64(self.n_images),
            n_patches=np.int64(self.n_patches),
        )


@cache
def shipped(path: Path = MODEL_FILE) -> NiqeModel:
    """Read a model; the shipped one by default."""
    with np.load(path, allow_pickle=False) as file:
        return NiqeModel(
            file["mean"].astype(np.float64),
            file["covariance"].astype(np.float64),
            int(file["n_images"]),
            int(file["n_patches"]),
        )


def describe(image: UnitImage, mask: Mask) -> Floats:
    """Describe the patches of a scan (h, w) that lie in its mask: (patch, 36), at both scales.

    Where no patch does far enough, the one that does most.
    """
    image, mask = _whole_patches(image, mask)
    found = normalise(image, mask)
    fine = patch_features(found, PATCH_PX, STRIDE_PX)
    coarse = patch_features(normalise(*halved(image, mask)), PATCH_PX // 2, STRIDE_PX // 2)
    share = patches(found.mask, PATCH_PX, STRIDE_PX).mean(axis=1)
    taken = share >= min(LEAST_SHARE, float(share.max()))
    features: Floats = np.concatenate([fine, coarse], axis=1)[taken]
    return features


def niqe(image: UnitImage, mask: Mask) -> float:
    """Minus the NIQE distance of a working image (h, w); higher is better."""
    return -shipped().distance(describe(image, mask))


def _whole_patches(image: UnitImage, mask: Mask) -> tuple[UnitImage, Mask]:
    """Cut to sides that hold whole patches, or pad to one."""
    pad = [(0, max(PATCH_PX - side, 0)) for side in image.shape]
    image, mask = np.pad(image, pad), np.pad(mask, pad)
    height, width = ((side - PATCH_PX) // STRIDE_PX * STRIDE_PX + PATCH_PX for side in image.shape)
    return image[:height, :width], mask[:height, :width]
