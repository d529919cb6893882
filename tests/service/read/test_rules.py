"""Boxes drawn over an image are found at any grey and size; echoes are no boxes."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sonogate.read.drawn.marks import find_bars
from sonogate.read.drawn.rules import find_boxes
from sonogate.testing import speckle
from tests.service.read.conftest import phantom

Grey = NDArray[np.uint8]


def tissue(height: int, width: int) -> Grey:
    """Draw a phantom as smooth as a scanner's own interpolation."""
    small = Image.fromarray(phantom(height // 3, width // 3))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (600, 800)])
@pytest.mark.parametrize("grey", [170, 210, 255])
def test_a_box_is_found_at_any_size_and_grey(height: int, width: int, grey: int) -> None:
    """Its outline is masked, and next to nothing beside it."""
    picture = tissue(height, width)
    drawn = np.zeros(picture.shape, dtype=np.bool_)
    drawn[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
    drawn[height // 3 + 1 : 2 * height // 3 - 1, width // 3 + 1 : 2 * width // 3 - 1] = False
    picture[drawn] = grey
    found = find_boxes(picture, width)

    assert found[drawn].mean() > 0.9
    assert found[~drawn].mean() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_echoes_are_no_box(seed: int) -> None:
    """Neither speckle nor level layers have upright sides."""
    layers = tissue(480, 640)
    layers[100:400:30, 90:-90] = 200

    assert not find_boxes(speckle(480, 640, seed), 640).any()
    assert not find_boxes(layers, 640).any()


@pytest.mark.parametrize("mark", [0, 255])
def test_a_bar_with_an_arrow_on_it_is_found(mark: int) -> None:
    """A dot on the bar does not make it tissue."""
    picture = tissue(480, 640)
    picture[150:214, 9:17] = np.linspace(249, 20, 64)[:, None].astype(np.uint8)
    picture[179:181, 13] = picture[195, 13] = mark

    assert find_bars(picture, 640)[152:205, 9:17].mean() > 0.9


def test_a_narrow_bar_of_a_small_screen_is_found() -> None:
    """Four columns wide, its sides blended with what is beside it."""
    picture = tissue(240, 320)
    bar = np.linspace(249, 22, 28)[:, None] * [0.94, 1.0, 1.0, 0.94]
    picture[75:103, 300:304] = bar.astype(np.uint8)

    assert find_bars(picture, 320)[78:100, 300:304].mean() > 0.9


def slanted(height: int, width: int, grey: int, lean: float) -> tuple[Grey, NDArray[np.bool_]]:
    """Draw a steered box that leans by so many columns a row over tissue; return where it is."""
    top, bottom, left, right = height // 3, 2 * height // 3, 2 * width // 5, 2 * width // 3
    aside = round(lean * (bottom - top))
    corners = [(left, top), (right, top), (right - aside, bottom), (left - aside, bottom)]
    picture = Image.fromarray(tissue(height, width))
    ink = Image.new("1", picture.size)
    for image, fill in ((picture, grey), (ink, 1)):
        ImageDraw.Draw(image).line([*corners, corners[0]], fill=fill, width=2 if width > 400 else 1)
    return np.array(picture), np.array(ink)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (600, 800)])
@pytest.mark.parametrize("grey", [170, 210, 255])
@pytest.mark.parametrize("lean", [-0.5, -0.2, 0.2, 0.35])
def test_a_slanted_box_is_found(height: int, width: int, grey: int, lean: float) -> None:
    """The steered box of a linear probe is masked, and next to nothing beside it."""
    picture, ink = slanted(height, width, grey, lean)
    found = find_boxes(picture, width)

    assert found[ink].mean() > 0.9
    assert found[~ink].mean() < 0.01


def test_slanted_lines_alone_are_no_box() -> None:
    """A needle and fascia, level or slanted, join no two lines of one length."""
    picture = Image.fromarray(tissue(480, 640))
    pen = ImageDraw.Draw(picture)
    for line in [(150, 100, 350, 260), (180, 300, 460, 300), (120, 180, 300, 150)]:
        pen.line(line, fill=230, width=2)

    assert not find_boxes(np.array(picture), 640).any()
