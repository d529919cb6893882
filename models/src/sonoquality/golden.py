"""Golden scores: phantoms made by a formula, and what a plain reference says of them.

The expected numbers come from `metrics.reference`, never from the graph they check.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonoquality.arrays import Luma, Mask
from sonoquality.model import QualityModel
from sonoquality.preprocess import luma_of, scan_mask
from sonoquality.zoo import GOLDEN_FILE

#: Quality points and robust deviations that float32 and another provider may differ by.
QUALITY_TOLERANCE = 0.2
BADNESS_TOLERANCE = 0.02
#: Points of 100; of large ones a share, as of the others.
UTILITY_TOLERANCE = 0.02

#: dB from black to white.
DISPLAY_RANGE = 60.0

Picture = NDArray[np.uint8]
Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A picture made by a formula: layers, cysts, speckle and a tint, in a fan or a rectangle."""

    name: str
    width: int
    height: int
    fan: bool = False
    loss: float = 6.0  #: dB lost from top to bottom
    blur: float = 1.0  #: px, of the speckle's size along the beam; twice as much across
    title: bool = False  #: a bright text-like strip across the scan, masked as overlay

    def picture(self) -> Picture:
        """Return (height, width, 3) RGB; the tint makes the order of channels matter."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        echo = self._structure(x, y) - self.loss * y / self.height + self._speckle(x, y)
        grey = np.where(self._inside(x, y), np.clip(1.0 + echo / DISPLAY_RANGE, 0.0, 1.0), 0.0)
        grey = np.where(self.overlay(), 1.0, grey)
        rgb = np.round(255.0 * grey[..., None] * np.array([1.0, 0.86, 0.55]))
        picture: Picture = rgb.astype(np.uint8)
        return picture

    def overlay(self) -> Mask:
        """Return (height, width), True on the strip."""
        overlay = np.zeros((self.height, self.width), dtype=np.bool_)
        if self.title:
            top = self.height // 2
            overlay[top : top + 24 : 2, self.width // 4 : 3 * self.width // 4 : 3] = True
        return overlay

    def _structure(self, x: Plane, y: Plane) -> Plane:
        """Return echo strength in dB: bent layers, bright seams between them, and two cysts."""
        depth = y + 14.0 * np.sin(x / 67.0)
        echo = -26.0 + 6.0 * np.sin(depth / 29.0) + 4.0 * np.sin(depth / 11.0 + x / 90.0)
        echo += 14.0 * np.exp(-(((depth % 83.0) - 40.0) ** 2) / 6.0)
        for across, down, radius in ((0.3, 0.45, 0.09), (0.68, 0.6, 0.06)):
            away = np.hypot(x - across * self.width, y - down * self.height)
            echo = np.where(away < radius * self.width, echo - 22.0, echo)
        strength: Plane = echo
        return strength

    def _speckle(self, x: Plane, y: Plane) -> Plane:
        """Return fully developed speckle in dB: the amplitude of smoothed complex noise."""
        parts = [
            ndimage.gaussian_filter(_noise(x, y, salt) - 0.5, (self.blur, 2.0 * self.blur))
            for salt in (1, 2)
        ]
        amplitude = np.hypot(*parts)
        speckle: Plane = 20.0 * np.log10(amplitude / amplitude.mean() + 1e-3)
        return speckle

    def _inside(self, x: Plane, y: Plane) -> Mask:
        if not self.fan:
            return np.ones(x.shape, dtype=np.bool_)
        across, down = x - self.width / 2.0, y + 0.15 * self.height
        radius = np.hypot(across, down)
        near = (radius > 0.2 * self.height) & (radius < 1.1 * self.height)
        inside: Mask = near & (np.abs(np.arctan2(across, down)) < 0.6)
        return inside


PHANTOMS = (
    Phantom(name="rectangle", width=448, height=336),
    Phantom(name="fan", width=640, height=480, fan=True, blur=1.4),
    Phantom(name="faded", width=800, height=600, loss=40.0, blur=1.6),
    Phantom(name="small", width=240, height=200),
    Phantom(name="titled", width=448, height=448, title=True),
)


def _noise(x: Plane, y: Plane, salt: int) -> Plane:
    """Return noise in [0, 1) from integer arithmetic alone, the same on every machine."""
    n = x.astype(np.int64) * 73856093 ^ y.astype(np.int64) * 19349663 ^ salt * 83492791
    for _ in range(2):
        n = (n ^ (n >> 15)) * 1274126177 & 0xFFFFFFFF
    noise: Plane = ((n ^ (n >> 16)) & 0xFFFF) / 65536.0
    return noise


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
        ("utility", found.scores.get("utility", 0.0), UTILITY_TOLERANCE),
    )
    return [
        f"{phantom.name}: {name} is {value:.3f}, expected {wanted[name]:.3f} ± {tolerance}"
        for name, value, tolerance in pairs
        if name in wanted
        if not abs(value - wanted[name]) <= tolerance * max(1.0, abs(wanted[name]) / 10.0)
    ]
