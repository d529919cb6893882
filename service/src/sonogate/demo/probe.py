"""Probe geometries: where a beam sample lies in the body, and how beams become a picture.

Beam space is (depth sample, line); body space is centimetres, `x` to the right and `z` down,
with the skin at the top of the middle line at (0, 0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Float = NDArray[np.float64]

N_SAMPLES = 512
N_LINES = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A linear (`radius_cm` is None), convex or sector (`radius_cm` near 0) probe."""

    name: str  #: as written on the screen
    depth_cm: float
    half_width_cm: float = 2.0  #: of a linear probe's face
    radius_cm: float | None = None  #: of a curved probe's face
    half_angle: float = 0.6  #: of a fan, radians
    axial_samples: float = 1.6  #: sigma of a pulse, in depth samples
    lateral_lines: float = 1.3  #: sigma of a beam at its focus, in lines
    focus: float = 0.5  #: depth of the focus, as a share of depth_cm

    def positions(self) -> tuple[Float, Float]:
        """Return x and z in cm, each (N_SAMPLES, N_LINES)."""
        depth = np.linspace(0.0, self.depth_cm, N_SAMPLES)[:, None]
        line = np.linspace(-1.0, 1.0, N_LINES)[None, :]
        if self.radius_cm is None:
            return line * self.half_width_cm + 0 * depth, depth + 0 * line
        range_cm = self.radius_cm + depth
        angle = line * self.half_angle
        return range_cm * np.sin(angle), range_cm * np.cos(angle) - self.radius_cm

    def extent_cm(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom of what is seen, in cm."""
        if self.radius_cm is None:
            return -self.half_width_cm, 0.0, self.half_width_cm, self.depth_cm
        side = (self.radius_cm + self.depth_cm) * np.sin(self.half_angle)
        top = self.radius_cm * (np.cos(self.half_angle) - 1.0)
        return -side, top, side, self.depth_cm

    def to_picture(self, beams: Float, height: int) -> tuple[Float, float]:
        """Scan-convert beams in [0, 1] to a picture `height` pixels high; black outside the scan.

        Returns:
            The picture (height, width), and cm per pixel.
        """
        left, top, right, bottom = self.extent_cm()
        cm = (bottom - top) / height
        width = round((right - left) / cm)
        x = left + (np.arange(width, dtype=np.float64) + 0.5)[None, :] * cm
        z = top + (np.arange(height, dtype=np.float64) + 0.5)[:, None] * cm
        samples, lines = self._beam_of(x, z)
        return map_coordinates(beams, [samples, lines], order=1, cval=0.0), cm

    def _beam_of(self, x: Float, z: Float) -> tuple[Float, Float]:
        if self.radius_cm is None:
            line, depth = x / self.half_width_cm + 0 * z, z + 0 * x
        else:
            line = np.arctan2(x, z + self.radius_cm) / self.half_angle
            depth = np.hypot(x, z + self.radius_cm) - self.radius_cm
        sample = depth / self.depth_cm * (N_SAMPLES - 1)
        return np.asarray(sample), np.asarray((line + 1.0) / 2.0 * (N_LINES - 1))


LINEAR = Probe(name="L12-4", depth_cm=4.0, half_width_cm=2.2, lateral_lines=1.1)
CONVEX = Probe(name="C5-1", depth_cm=15.0, radius_cm=6.0, half_angle=0.58)
SECTOR = Probe(name="S4-1", depth_cm=16.0, radius_cm=0.6, half_angle=0.72, lateral_lines=1.7)
