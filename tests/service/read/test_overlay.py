"""What is drawn over an image is found; what is echo is left alone."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.read.drawn.overlay import Overlay, coloured, find_overlay
from sonogate.read.sector import find_sector
from tests.service.read.conftest import phantom

SIDE = (480, 640)


@pytest.fixture
def tissue() -> NDArray[np.uint8]:
    """A smooth speckled scan, as a scanner's own interpolation makes it, on a black screen."""
    small = Image.fromarray(phantom(SIDE[0] // 3, SIDE[1] // 3))
    return np.array(small.resize(SIDE[::-1], Image.Resampling.BICUBIC))


def drawn(picture: NDArray[np.uint8], draw: str, **where: int) -> NDArray[np.bool_]:
    """Draw on a picture in place; return where."""
    before = picture.copy()
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    x, y = where["x"], where["y"]
    if draw == "text":
        pen.text((x, y), "Liver 1.06 cm DOE JANE", fill=255, font=ImageFont.load_default(16))
    elif draw == "plus":
        pen.line((x - 7, y, x + 7, y), fill=255, width=2)
        pen.line((x, y - 7, x, y + 7), fill=255, width=2)
    elif draw == "cross":
        pen.line((x - 7, y - 7, x + 7, y + 7), fill=255, width=2)
        pen.line((x - 7, y + 7, x + 7, y - 7), fill=255, width=2)
    elif draw == "box":
        pen.rectangle((x, y, x + 150, y + 100), outline=255)
    picture[:] = np.asarray(image)
    changed: NDArray[np.bool_] = picture != before
    return changed


def find(picture: NDArray[np.uint8], colour: NDArray[np.bool_] | None = None) -> Overlay:
    """Find the overlay of a still."""
    colour = np.zeros(picture.shape, np.bool_) if colour is None else colour
    return find_overlay(picture, picture, colour, max(picture.shape))


def test_speckle_is_no_overlay(tissue: NDArray[np.uint8]) -> None:
    """Hardly any of an image without furniture is masked, and it has no calipers."""
    found = find(tissue)

    assert found.mask[70:-70, 90:-90].mean() < 0.01
    assert not found.crosses.any()


@pytest.mark.parametrize(("x", "y"), [(10, 8), (200, 450), (420, 10)])
def test_letters_on_the_screen_are_found(tissue: NDArray[np.uint8], x: int, y: int) -> None:
    """Burned-in text is masked to its last stroke."""
    where = drawn(tissue, "text", x=x, y=y)

    assert find(tissue).mask[where].mean() > 0.98


@pytest.mark.parametrize("draw", ["plus", "cross"])
def test_calipers_over_tissue_are_found(tissue: NDArray[np.uint8], draw: str) -> None:
    """A measurement mark is told wherever it is set."""
    for x, y in ((200, 150), (400, 300)):
        where = drawn(tissue, draw, x=x, y=y)
        found = find(tissue)
        assert found.crosses[y - 8 : y + 9, x - 8 : x + 9].any()
        assert found.mask[where].mean() > 0.9


def test_a_white_box_over_tissue_is_found(tissue: NDArray[np.uint8]) -> None:
    """The outline of a colour box is no echo; what it encloses is."""
    where = drawn(tissue, "box", x=220, y=160)
    found = find(tissue)

    assert found.mask[where].mean() > 0.9
    assert found.mask[180:240, 240:350].mean() < 0.05


def test_a_grey_bar_is_found(tissue: NDArray[np.uint8]) -> None:
    """The scanner's grey wedge beside the image is not tissue."""
    tissue[100:300, 620:632] = np.linspace(255, 30, 200)[:, None].astype(np.uint8)

    assert find(tissue).mask[100:290, 620:632].mean() > 0.95


def test_flow_is_colour_and_tint_is_not(tissue: NDArray[np.uint8]) -> None:
    """A sepia map is a grey map; a red patch in a grey image is flow."""
    rgb = np.repeat(tissue[..., None], 3, axis=2)
    flowing = rgb.copy()
    flowing[200:260, 250:330] = (220, 40, 20)
    sepia = (rgb * np.array([1.0, 0.75, 0.5])).astype(np.uint8)

    assert 60 * 80 == coloured(flowing).sum()
    assert not coloured(sepia).any()
    assert find(tissue, coloured(flowing)).flow[205:255, 255:325].all()


def test_text_beside_the_scan_does_not_widen_it(tissue: NDArray[np.uint8]) -> None:
    """The mask is the same with and without text on the screen."""
    plain = find_sector(tissue, find(tissue).no_evidence, declared=False)
    for y in range(60, 400, 24):
        drawn(tissue, "text", x=2, y=y)
        break
    drawn(tissue, "text", x=5, y=10)
    with_text = find_sector(tissue, find(tissue).no_evidence, declared=False)

    assert np.mean(plain != with_text) < 0.02


@pytest.mark.parametrize("echoes_to", [112, 250, 380])
def test_the_screens_black_outlines_a_scan_with_few_echoes(echoes_to: int) -> None:
    """One grey level above the screen is enough to tell where a probe in air scans."""
    rows, columns = np.indices(SIDE)
    angle = np.arctan2(columns - 320, rows + 60)
    radius = np.hypot(columns - 320, rows + 60)
    fan = (np.abs(angle) < 0.6) & (radius > 100) & (radius < 500)
    air = fan.astype(np.uint8)
    air[fan & (radius < echoes_to)] = 180
    mask = find_sector(air, np.zeros(SIDE, np.bool_), declared=True)

    assert np.mean(mask != fan) < 0.01
