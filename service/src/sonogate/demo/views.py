"""The views of the phantom exam: what each shows, drawn on a `Tissue`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sonogate.demo.probe import CONVEX, LINEAR, SECTOR, Probe
from sonogate.demo.tissue import Tissue

Draw = Callable[[Tissue, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A named view and how to draw it; `phase` in [0, 1) moves what moves."""

    label: str  #: as written on the screen
    probe: Probe
    draw: Draw


def skin(tissue: Tissue, fat_to_cm: float) -> None:
    """Draw skin, fat with strands, and the fascia below them."""
    fat = tissue.z < fat_to_cm
    tissue.fill(fat, -33.0)
    tissue.strands(fat, -15.0)
    tissue.fill(tissue.z < 0.03 * tissue.probe.depth_cm, -14.0)
    tissue.surface(fat_to_cm, -7.0)


def liver(tissue: Tissue, phase: float) -> None:
    """Liver with vessels, the diaphragm behind it."""
    depth = 11.4 + 0.3 * np.sin(2 * np.pi * phase)
    tissue.fill(tissue.z > 0, -27.0)
    skin(tissue, 1.6)
    for x, z, r in ((-2.2, 5.2, 0.55), (1.6, 6.4, 0.7), (3.0, 8.3, 0.5), (-0.6, 8.8, 0.45)):
        vessel = tissue.ellipse((x, z + 0.2 * (depth - 11.4)), (1.7 * r, 0.62 * r), 0.5)
        tissue.fluid(vessel, wall_db=-16.0, behind_db=1.5)
    dome = tissue.ellipse((0.4, depth - 6.0), (9.5, 7.6))
    tissue.fill(dome > 1.03, -38.0)
    tissue.wall(dome, -3.0, thickness=0.03)


def gallbladder(tissue: Tissue, phase: float) -> None:
    """Gallbladder in front of liver."""
    tissue.fill(tissue.z > 0, -27.0)
    skin(tissue, 1.5)
    bladder = tissue.ellipse((0.6, 6.0 + 0.2 * np.sin(2 * np.pi * phase)), (3.1, 1.35), -0.35)
    tissue.fluid(bladder, wall_db=-8.0, behind_db=7.0)
    dome = tissue.ellipse((0.0, 4.0), (10.0, 9.0))
    tissue.wall(dome, -6.0, thickness=0.03)


def kidney(tissue: Tissue, phase: float) -> None:
    """Right kidney beside liver: dark pyramids, bright sinus."""
    tissue.fill(tissue.z > 0, -28.0)
    skin(tissue, 1.7)
    centre = (0.3, 7.4 + 0.2 * np.sin(2 * np.pi * phase))
    rim = tissue.ellipse(centre, (5.6, 3.0), 0.18)
    tissue.fill(rim < 1.0, -32.0)
    tissue.wall(rim, -9.0, thickness=0.05)
    for angle in np.linspace(0.2, 2 * np.pi, 8):
        at = (centre[0] + 3.7 * np.cos(angle), centre[1] + 1.95 * np.sin(angle))
        tissue.fill(tissue.ellipse(at, (0.85, 0.6)) < 1.0, -40.0)
    sinus = tissue.ellipse(centre, (2.9, 1.05), 0.18)
    tissue.fill(sinus < 1.0, -17.0, texture_db=5.0)


def aorta(tissue: Tissue, phase: float) -> None:
    """Abdominal aorta along its course, spine behind it."""
    tissue.fill(tissue.z > 0, -28.0)
    skin(tissue, 1.8)
    half = 0.95 + 0.06 * np.sin(2 * np.pi * phase)
    tube = np.abs(tissue.z - 7.2 - 0.09 * tissue.x) / half + 0 * tissue.x
    tissue.fluid(tube, wall_db=-7.0, behind_db=5.0)
    for x in np.arange(-6.0, 6.1, 2.4):
        tissue.stone((float(x), 11.2), 0.6)


def thyroid(tissue: Tissue, phase: float) -> None:
    """Thyroid lobe with a small cyst, carotid artery beside it, strap muscles above."""
    tissue.fill(tissue.z > 0, -32.0)
    muscle = (tissue.z > 0.55) & (tissue.z < 1.05)
    tissue.fill(muscle, -37.0)
    tissue.strands(muscle, -20.0)
    skin(tissue, 0.5)
    lobe = tissue.ellipse((-0.4, 1.9), (1.45, 0.85))
    tissue.fill(lobe < 1.0, -22.0, texture_db=1.5)
    tissue.wall(lobe, -12.0, thickness=0.05)
    tissue.fluid(tissue.ellipse((-0.8, 1.8), (0.24, 0.2)), behind_db=5.0)
    artery = tissue.ellipse((1.45, 2.2), (0.36 + 0.02 * np.sin(2 * np.pi * phase), 0.36))
    tissue.fluid(artery, wall_db=-8.0, behind_db=6.0)
    deep = tissue.below(3.1)
    tissue.fill(deep, -36.0)
    tissue.strands(deep, -18.0)
    tissue.surface(3.1, -8.0)


def carotid(tissue: Tissue, phase: float) -> None:
    """Carotid artery along its course."""
    tissue.fill(tissue.z > 0, -30.0)
    muscle = (tissue.z > 0.6) & (tissue.z < 1.3)
    tissue.fill(muscle, -34.0)
    tissue.strands(muscle, -18.0, length=22.0)
    skin(tissue, 0.5)
    half = 0.34 + 0.02 * np.sin(2 * np.pi * phase)
    tube = np.abs(tissue.z - 2.0 - 0.05 * tissue.x) / half
    tissue.fluid(tube, wall_db=-6.0, behind_db=6.0)
    deep = tissue.z > 2.7
    tissue.strands(deep, -16.0, length=20.0)


def breast(tissue: Tissue, phase: float) -> None:
    """Glandular tissue with a simple cyst and a small calcification."""
    tissue.fill(tissue.z > 0, -24.0, texture_db=4.0)
    skin(tissue, 0.9)
    gland = (tissue.z > 0.9) & (tissue.z < 2.6)
    tissue.strands(gland, -12.0, length=8.0)
    tissue.fluid(tissue.ellipse((-0.5, 1.7), (0.42, 0.36)), behind_db=7.0)
    tissue.stone((1.1, 1.9), 0.1)
    muscle = tissue.below(2.7)
    tissue.fill(muscle, -36.0 + phase)
    tissue.strands(muscle, -14.0, length=26.0)
    tissue.surface(2.7, -8.0)


def muscle(tissue: Tissue, phase: float) -> None:
    """Calf muscle along its fibres, with its fasciae."""
    tissue.fill(tissue.z > 0, -31.0, texture_db=3.0)
    skin(tissue, 0.6)
    deep = tissue.below(0.7, wave_cm=0.05 + 0.02 * phase)
    tissue.strands(deep, -14.0, length=20.0)
    tissue.surface(2.1, -8.0)
    tissue.surface(3.3, -10.0)


def heart(tissue: Tissue, phase: float) -> None:
    """Four chambers that beat."""
    squeeze = 1.0 - 0.16 * np.sin(np.pi * phase) ** 2
    tissue.fill(tissue.z > 0, -29.0, texture_db=4.0)
    tissue.strands(tissue.z > 0, -18.0)
    outside = tissue.ellipse((0.2, 8.2), (4.9, 6.1))
    tissue.fill(outside < 1.0, -25.0)
    tissue.wall(outside, -7.0, thickness=0.04)
    chambers = (
        ((1.6, 6.4), (1.55 * squeeze, 2.9 * squeeze), 0.08),
        ((-1.9, 6.6), (1.25 * squeeze, 2.4 * squeeze), -0.1),
        ((1.7, 11.6), (1.6 / squeeze, 1.5 / squeeze), 0.0),
        ((-1.8, 11.5), (1.5 / squeeze, 1.4 / squeeze), 0.0),
    )
    for centre, radii, turn in chambers:
        chamber = tissue.ellipse(centre, radii, turn)
        tissue.fluid(chamber, wall_db=-13.0, behind_db=1.0)


VIEWS: Mapping[str, View] = {
    "liver": View(label="LIVER LONG", probe=CONVEX, draw=liver),
    "gallbladder": View(label="GB LONG", probe=CONVEX, draw=gallbladder),
    "kidney": View(label="RT KIDNEY LONG", probe=CONVEX, draw=kidney),
    "aorta": View(label="AORTA LONG", probe=CONVEX, draw=aorta),
    "thyroid": View(label="THYROID RT TRANS", probe=LINEAR, draw=thyroid),
    "carotid": View(label="CCA RT LONG", probe=LINEAR, draw=carotid),
    "breast": View(label="BREAST LT 2H", probe=LINEAR, draw=breast),
    "muscle": View(label="CALF RT LONG", probe=LINEAR, draw=muscle),
    "heart": View(label="A4C", probe=SECTOR, draw=heart),
}
