"""The colour box of a curved or phased probe is found at any grey; echoes around colour are not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sonogate.demo.phantom import make_scan
from sonogate.demo.views import VIEWS
from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.read.drawn.morphology import dilate
from sonogate.read.drawn.surround import find_surrounding
from sonogate.read.scan import Scene, assemble
from sonogate.score.scorer import scored
from sonogate.testing import speckle

RGB = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def screen(view: str, at: tuple[float, float], *, grey: int | None, width: int) -> tuple[RGB, Mask]:
    """Draw a fan with flow and, unless `grey` is None, the box around it.

    Args:
        view: of the phantom exam, by a curved or a phased probe.
        at: first angle of the box and its first depth, in parts of the fan.
        grey: of the outline.
        width: of the outline, px.

    Returns:
        The picture, and where the outline is.
    """
    probe = VIEWS[view].probe
    scan = make_scan(VIEWS[view], seed=3)
    cm, (left, top, _, _) = scan.cm_per_pixel, probe.extent_cm()
    radius = probe.radius_cm or 0.0
    angles = probe.half_angle * (2 * (at[0] + np.array([0.0, 0.4])) - 1)
    depths = radius + probe.depth_cm * (at[1] + np.array([0.0, 0.35]))

    def corner(depth: float, angle: float) -> tuple[float, float]:
        return (
            (depth * np.sin(angle) - left) / cm - 0.5,
            (depth * np.cos(angle) - radius - top) / cm - 0.5,
        )

    across = np.linspace(angles[0], angles[1], 60)
    outline = [corner(depths[0], a) for a in across]
    outline += [corner(depths[1], a) for a in across[::-1]]
    picture = Image.fromarray(scan.picture).convert("RGB")
    ink = Image.new("1", picture.size)
    x, y = corner(float(depths.mean()), float(angles.mean()))
    ImageDraw.Draw(picture).ellipse((x - 28, y - 16, x + 28, y + 16), fill=(210, 40, 20))
    if grey is not None:
        closed = [*outline, outline[0]]
        ImageDraw.Draw(picture).line(closed, fill=(grey, grey, grey), width=width)
        ImageDraw.Draw(ink).line(closed, fill=1, width=width)
    return np.array(picture), np.array(ink)


def read(picture: RGB) -> FrameStack:
    """Read a picture of which the header says nothing."""
    height, width = picture.shape[:2]
    whole = Region(x=0, y=0, width=width, height=height)
    return assemble([picture], (1,), 1, Scene(crop=whole, screen=(height, width)), Header())


PLACES = [("kidney", (0.3, 0.35), 1), ("heart", (0.2, 0.4), 1), ("heart", (0.2, 0.4), 2)]


@pytest.mark.slow
@pytest.mark.parametrize(("view", "at", "width"), PLACES)
def test_the_box_of_a_curved_probe_is_found(view: str, at: tuple[float, float], width: int) -> None:
    """Its grey outline is masked and taken off what is scored; hardly anything else is."""
    plain, _ = screen(view, at, grey=None, width=width)
    drawn, ink = screen(view, at, grey=170, width=width)
    before, after = read(plain), read(drawn)
    beside = after.overlay_mask & ~before.overlay_mask & ~dilate(ink, 3)

    assert after.overlay_mask[ink].mean() > 0.95
    assert beside.mean() < 0.001
    assert np.abs(scored(after)[0].astype(int) - before.frames[0])[ink].mean() < 40


@pytest.mark.parametrize("place", range(4))
def test_no_box_is_seen_in_echoes_around_colour(place: int) -> None:
    """Speckle has no four sides of one grey."""
    luma = speckle(300, 300, place)
    colour = np.zeros(luma.shape, dtype=np.bool_)
    colour[120 + 10 * place : 170, 110 : 160 + 10 * place] = True

    assert find_surrounding(luma, colour) is None
