"""Golden scores: phantoms made by a formula, and what a plain reference says of them.

The expected numbers come from `metrics.reference`, never from the graph they check.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Luma, Mask
from sonoquality.model import QualityModel
from sonoquality.preprocess import luma_of, scan_mask
from sonoquality.zoo import GOLDEN_FILE

#: Quality points and robust deviations that float32 and another provider may differ by.
QUALITY_TOLERANCE = 0.2
BADNESS_TOLERANCE = 0.02

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A picture made by a formula: layers, grains and a tint, inside a fan or a rectangle."""

    name: str
    width: int
    height: int
    fan: bool
    depth_loss: float  #: grey lost from top to bottom, [0, 1]
    grain: float  #: strength of the speckle, [0, 1]
    title: bool = False  #: a bright text-like strip across the scan, masked as overlay

    def picture(self) -> Picture:
        """Return (height, width, 3) RGB; the tint makes the order of channels matter."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        grey = 0.42 + 0.16 * np.sin(y / 17.0 + np.sin(x / 41.0)) - self.depth_loss * y / self.height
        grey += 0.10 * np.sin(x / 9.0) * np.sin(y / 5.0)
        grey += self.grain * (_hash(x, y) - 0.5)
        grey = np.where(self.overlay(), 1.0, np.where(self._inside(x, y), grey, 0.0))
        tint = np.array([1.0, 0.86, 0.55])
        rgb = np.round(255.0 * np.clip(grey[..., None] * tint, 0.0, 1.0))
        picture: Picture = rgb.astype(np.uint8)
        return picture

    def overlay(self) -> Mask:
        """Return (height, width), True on the strip."""
        overlay = np.zeros((self.height, self.width), dtype=np.bool_)
        if self.title:
            top = self.height // 2
            overlay[top : top + 24 : 2, self.width // 4 : 3 * self.width // 4 : 3] = True
        return overlay

    def _inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        if not self.fan:
            return np.ones(x.shape, dtype=np.bool_)
        across, down = x - self.width / 2.0, y + 0.15 * self.height
        radius = np.hypot(across, down)
        near = (radius > 0.2 * self.height) & (radius < 1.1 * self.height)
        inside: Mask = near & (np.abs(np.arctan2(across, down)) < 0.6)
        return inside


PHANTOMS = (
    Phantom(name="rectangle", width=448, height=336, fan=False, depth_loss=0.1, grain=0.3),
    Phantom(name="fan", width=640, height=480, fan=True, depth_loss=0.1, grain=0.3),
    Phantom(name="faded", width=800, height=600, fan=False, depth_loss=0.45, grain=0.1),
    Phantom(name="small", width=240, height=200, fan=False, depth_loss=0.1, grain=0.3),
    Phantom(name="titled", width=448, height=448, fan=False, depth_loss=0.1, grain=0.3, title=True),
)


def _hash(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return noise in [0, 1) from integer arithmetic alone, the same on every machine."""
    n = x.astype(np.int64) * 73856093 ^ y.astype(np.int64) * 19349663
    n = (n ^ (n >> 13)) * 1274126177 & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65536.0


def inputs_of(phantom: Phantom) -> tuple[Luma, Mask, Mask]:
    """Return luminance, scan mask and overlay mask of a phantom, as the gate would make them."""
    overlay = phantom.overlay()
    luma = luma_of(phantom.picture())
    return luma, scan_mask(luma, overlay), overlay


def expected_scores(entry: Path) -> Mapping[str, Mapping[str, float]]:
    """Read the golden scores of a zoo entry, by phantom."""
    table: Mapping[str, Mapping[str, float]] = json.loads((entry / GOLDEN_FILE).read_text("utf-8"))[
        "expected"
    ]
    return table


def differences(
    model: QualityModel, entry: Path, phantoms: Sequence[Phantom] = PHANTOMS
) -> list[str]:
    """Score the phantoms and say where the model differs from its golden scores.

    Returns:
        One sentence per difference; none if all is well.
    """
    expected = expected_scores(entry)
    return [line for phantom in phantoms for line in _compare(model, phantom, expected)]


def _compare(
    model: QualityModel, phantom: Phantom, expected: Mapping[str, Mapping[str, float]]
) -> list[str]:
    luma, scan, overlay = inputs_of(phantom)
    found = model.score(luma[None], scan, overlay)[0]
    wanted = expected[phantom.name]
    pairs = (
        ("quality", found.quality, QUALITY_TOLERANCE),
        (model.card.scale.name, found.scores[model.card.scale.name], BADNESS_TOLERANCE),
        ("windows", found.scores["windows"], 0.0),
        ("heat", float(found.heat.mean()), 0.01),
    )
    return [
        f"{phantom.name}: {name} is {value:.3f}, expected {wanted[name]:.3f} ± {tolerance}"
        for name, value, tolerance in pairs
        if not abs(value - wanted[name]) <= tolerance * max(1.0, abs(wanted[name]) / 10.0)
    ]
