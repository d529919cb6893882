"""All distances of spoiled pictures from their clean scan, and what an organ's outline loses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sonoquality.arrays import Floats, UnitImage
from sonoquality.metrics import ulpips_paper
from sonoquality.metrics.baselines.distances import psnr, ssim
from sonoquality.networks.distances import lpips_between, lpips_features, ms_ssim
from sonoquality.networks.segmenter import Segmenter, dice
from sonoquality.networks.ulpips import Ulpips, UlpipsRecipe
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.segmentation.loop import load_segmenter
from sonoquality.training.segmentation.pictures import HALF, ORGANS, square
from sonoquality.training.segmentation.probes import Scan

PLAIN = ("psnr", "ssim", "ms-ssim", "lpips-style", "ulpips-paper")
POWERS = (1.0, 2.0, 4.0, 8.0)  #: of the mean over tokens: parts are kept for each
WHITE = 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Distances of n pictures from one scan; higher is further in each."""

    parts: Floats  #: (n, power, kind of view, tap, term) of robust uLPIPS, before its weights
    plain: Floats  #: (n, one of `PLAIN`), or (n, 0) without baselines


class Meter:
    """Measures by robust uLPIPS, by the paper's formula on the same encoder, and by baselines."""

    def __init__(
        self,
        encoder: VisionTransformer,
        recipe: UlpipsRecipe | None = None,
        *,
        baselines: bool = True,
    ) -> None:
        self.distance = Ulpips(encoder, recipe)
        self._baselines = baselines

    @torch.no_grad()
    def measure(self, scan: Scan, pictures: Sequence[UnitImage]) -> Measured:
        """Measure pictures (height, width) that were made of a scan."""
        mask = torch.from_numpy(scan.mask.astype(np.float32))[None, None]
        found = self.distance.differences(_batch([scan.image]), _batch(pictures), mask)
        parts = torch.stack([self.distance.pooled(found, power) for power in POWERS], dim=1)
        plain = self._plain(scan, pictures) if self._baselines else np.zeros((len(pictures), 0))
        return Measured(parts=parts.double().numpy(), plain=plain)

    @torch.no_grad()
    def asymmetry(self, scan: Scan, picture: UnitImage) -> tuple[float, float]:
        """Return uLPIPS of a scan from itself, and how far it changes when two change places."""
        mask = torch.from_numpy(scan.mask.astype(np.float32))[None, None]
        a, b = _batch([scan.image]), _batch([picture])
        there, back = self.distance(a, b, mask), self.distance(b, a, mask)
        return float(self.distance(a, a.clone(), mask)), abs(float(there - back))

    def _plain(self, scan: Scan, pictures: Sequence[UnitImage]) -> Floats:
        clean, mask = scan.image, scan.mask
        features = lpips_features(clean, mask)
        released = self.distance.released(
            _batch([_square(clean)]), _batch([_square(each) for each in pictures])
        )
        return np.array(
            [
                [
                    psnr(clean, each, mask),
                    ssim(clean, each, mask),
                    ms_ssim(clean, each, mask),
                    lpips_between(features, lpips_features(each, mask), mask),
                    float(paper),
                ]
                for each, paper in zip(pictures, released, strict=True)
            ]
        )


class Outliner:
    """The trained networks, each of which outlines its organ."""

    def __init__(self, run: Path) -> None:
        self._networks: Mapping[str, tuple[Segmenter, int]] = {
            organ: (found[0], found[1].side)
            for organ in ORGANS
            for found in [load_segmenter(run / organ)]
        }

    @torch.no_grad()
    def dice(self, organ: str, scan: Scan, pictures: Sequence[UnitImage]) -> Floats:
        """Return the Dice (n,) of each picture's outline with the true one."""
        if scan.organ is None:
            return np.full(len(pictures), np.nan)
        network, side = self._networks[organ]
        truth = square(scan.organ.astype(np.float32), side) >= HALF
        logits = network(_batch([square(each, side) for each in pictures]))
        found: Floats = dice(logits > 0, torch.from_numpy(truth)[None, None]).numpy()
        return found


def eight_bits(picture: UnitImage) -> UnitImage:
    """Round to the greys that a file can hold."""
    return np.asarray(np.rint(np.clip(picture, 0, 1) * WHITE) / WHITE, np.float32)


def _square(picture: UnitImage) -> UnitImage:
    """Return what `paper` mode looks at: the whole scan as one window, aspect not kept."""
    window: UnitImage = ulpips_paper.view_of(np.rint(picture * WHITE).astype(np.uint8))[0, 0]
    return window


def _batch(pictures: Sequence[UnitImage]) -> Tensor:
    return torch.from_numpy(np.stack(pictures))[:, None]
