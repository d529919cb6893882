"""A body to look at: echo strength in dB, built from layers, blobs, walls and strands.

0 dB is the strongest echo that the screen shows; parenchyma lies near -28, fluid below -50.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from sonogate.demo.probe import Float, Probe

Mask = NDArray[np.bool_]

FLUID_DB = -54.0
TISSUE_DB = -28.0


def ripple(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Float:
    """Return smooth noise of unit spread, correlated over `sigma` samples."""
    steps = [max(1, int(width / 3)) for width in sigma]
    coarse = [size // step + 2 for size, step in zip(shape, steps, strict=True)]
    widths = [width / step for width, step in zip(sigma, steps, strict=True)]
    noise = gaussian_filter(rng.standard_normal(coarse), widths, truncate=3.0)
    if max(steps) > 1:
        places = np.meshgrid(
            *(np.arange(n) / step for n, step in zip(shape, steps, strict=True)), indexing="ij"
        )
        noise = map_coordinates(noise, places, order=1)
    else:
        noise = noise[: shape[0], : shape[1]]
    return np.asarray(noise / noise.std())


@dataclass
class Tissue:
    """A canvas in beam space, drawn on in centimetres."""

    probe: Probe
    rng: np.random.Generator
    x: Float = field(init=False)
    z: Float = field(init=False)
    echo_db: Float = field(init=False)  #: echo strength, (sample, line)
    path_db: Float = field(init=False)  #: what the path there and back takes or gives

    def __post_init__(self) -> None:
        self.x, self.z = self.probe.positions()
        self.echo_db = np.full(self.x.shape, TISSUE_DB)
        self.path_db = np.zeros(self.x.shape)

    def fill(self, where: Mask, level_db: float, *, texture_db: float = 2.0) -> None:
        """Fill with parenchyma: a level and gentle variation of a few millimetres."""
        texture = ripple(self.rng, self.x.shape, (9.0, 5.0)) * texture_db
        self.echo_db = np.where(where, level_db + texture, self.echo_db)

    def below(self, z_cm: float, *, wave_cm: float = 0.1) -> Mask:
        """Return what lies deeper than a gently waved surface."""
        phase = self.rng.uniform(0, 2 * np.pi)
        span = self.probe.depth_cm
        surface = z_cm + wave_cm * np.sin(self.x * 5.0 / span + phase)
        return np.asarray(self.z > surface)

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0
    ) -> Float:
        """Return the scaled distance from an ellipse's centre: below 1 is inside."""
        dx, dz = self.x - centre[0], self.z - centre[1]
        u = dx * np.cos(turn) + dz * np.sin(turn)
        v = -dx * np.sin(turn) + dz * np.cos(turn)
        bumps = 0.04 * ripple(self.rng, self.x.shape, (30.0, 16.0))
        return np.asarray(np.hypot(u / radii[0], v / radii[1]) + bumps)

    def wall(self, distance: Float, level_db: float, *, thickness: float = 0.06) -> None:
        """Draw a specular wall where a scaled distance is 1; strongest where it faces the beam."""
        facing = np.abs(np.gradient(distance, axis=0))
        side = np.abs(np.gradient(distance, axis=1))
        grazing_db = -14.0 * side / (facing + side + 1e-9)
        drop_db = 20.0 * ((distance - 1.0) / thickness) ** 2
        self.echo_db = np.maximum(self.echo_db, level_db + grazing_db - drop_db)

    def fluid(self, distance: Float, *, wall_db: float = -12.0, behind_db: float = 5.0) -> None:
        """Draw a fluid-filled space with its wall and the brighter echo behind it."""
        inside = distance < 1.0
        self.echo_db = np.where(inside, FLUID_DB, self.echo_db)
        self.wall(distance, wall_db)
        share = np.clip(np.cumsum(inside, axis=0) / 80.0, 0.0, 1.0)
        self.path_db += np.where(inside, 0.0, behind_db * share)

    def strands(self, where: Mask, level_db: float, *, length: float = 14.0) -> None:
        """Draw the bright, level streaks of fat and muscle."""
        streaks = ripple(self.rng, self.x.shape, (1.1, length))
        streaks += 0.6 * ripple(self.rng, self.x.shape, (2.0, length * 2))
        lift = np.clip(streaks - 1.1, 0.0, 1.6) / 1.6
        self.echo_db = np.where(
            where & (lift > 0), self.echo_db + lift * (level_db - self.echo_db), self.echo_db
        )

    def surface(self, z_cm: float, level_db: float, *, wave_cm: float = 0.08) -> None:
        """Draw a fascia: a thin bright sheet across the picture."""
        phase = self.rng.uniform(0, 2 * np.pi)
        span = self.probe.depth_cm
        at = z_cm + wave_cm * np.sin(self.x * 6.0 / span + phase)
        patchy = level_db + 3.0 * ripple(self.rng, self.x.shape, (4.0, 9.0))
        drop_db = 18.0 * ((self.z - at) / (0.008 * span)) ** 2
        self.echo_db = np.maximum(self.echo_db, patchy - drop_db)

    def stone(self, centre: tuple[float, float], radius_cm: float) -> None:
        """Draw a calcification: a bright cap and the shadow it casts."""
        distance = self.ellipse(centre, (radius_cm, radius_cm * 0.5))
        inside = distance < 1.0
        self.echo_db = np.where(inside, -3.0, self.echo_db)
        shadow = np.clip(np.cumsum(inside, axis=0) / 10.0, 0.0, 1.0) * ~inside
        self.path_db -= 34.0 * gaussian_filter(shadow, (0.0, 2.0))
