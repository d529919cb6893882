"""Names written over echoes are masked: they count for no score."""

from collections.abc import Callable
from time import process_time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.read.drawn.overlay import find_overlay
from sonogate.read.drawn.words import find_words
from sonogate.testing import speckle
from tests.service.read.conftest import phantom

Grey = NDArray[np.uint8]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
NAME = "DOE^JOHN 12345678"
SHAPE = (600, 800)


def smooth() -> Grey:
    """A phantom as smooth as a scanner's own interpolation."""
    small = Image.fromarray(phantom(SHAPE[0] // 3, SHAPE[1] // 3))
    return np.array(small.resize(SHAPE[::-1], Image.Resampling.BICUBIC))


def dim_speckle() -> Grey:
    """Speckle over the whole frame, as dark as most tissue is shown."""
    return (speckle(*SHAPE, 1) * 0.45).astype(np.uint8)


def bitmap() -> Font:
    """Pillow's own bitmap letters, of one size."""
    return ImageFont.load_default_imagefont()


GROUNDS: dict[str, Callable[[], Grey]] = {
    "smooth": smooth,
    "rough": lambda: phantom(*SHAPE),
    "dim": dim_speckle,
    "bright": lambda: speckle(*SHAPE, 1),
}


def written(ground: Grey, font: Font, grey: int) -> tuple[Grey, NDArray[np.bool_]]:
    """Write the name across a picture; return it, and where the letters are."""
    image, ink = Image.fromarray(ground), Image.new("L", SHAPE[::-1])
    for picture, fill in ((image, grey), (ink, 255)):
        ImageDraw.Draw(picture).text((200, 300), NAME, fill=fill, font=font)
    return np.array(image), np.array(ink) > 128


def surviving(ground: Grey, font: Font, grey: int) -> float:
    """Return the share of the letters' pixels that are not masked."""
    picture, ink = written(ground, font, grey)
    found = find_overlay(picture, picture, np.zeros(SHAPE, dtype=np.bool_), SHAPE[1])
    return float((ink & ~found.mask).sum() / ink.sum())


@pytest.mark.slow
@pytest.mark.parametrize("ground", ["smooth", "rough", "dim"])
@pytest.mark.parametrize("grey", [160, 205, 255])
def test_a_name_over_echoes_is_masked(ground: str, grey: int) -> None:
    """From 10 to 28 pixels, few of a letter's pixels are left: 8 % at most when measured."""
    echoes = GROUNDS[ground]()
    left = {
        size: surviving(echoes, ImageFont.load_default(size), grey)
        for size in (10, 12, 14, 16, 20, 28)
    }

    assert {} == {size: share for size, share in left.items() if share > 0.10}
    assert surviving(echoes, bitmap(), grey) <= 0.10


@pytest.mark.parametrize("size", [14, 20, 28])
def test_a_white_name_over_bright_speckle_is_masked(size: int) -> None:
    """Also where the echoes are nearly white; darker letters there are not all found."""
    assert surviving(GROUNDS["bright"](), ImageFont.load_default(size), 255) <= 0.10


@pytest.mark.parametrize("ground", GROUNDS)
def test_echoes_are_no_words(ground: str) -> None:
    """Speckle has no stems of one grey on one base line."""
    assert not find_words(GROUNDS[ground](), SHAPE[1]).boxes.any()


def test_words_are_looked_for_in_time() -> None:
    """1 to 5 ms for 800x600 on a busy machine: best of seven, and twice that is allowed."""
    picture, _ = written(smooth(), ImageFont.load_default(16), 255)

    def once() -> float:
        start = process_time()
        find_words(picture, SHAPE[1])
        return process_time() - start

    assert min(once() for _ in range(7)) < 0.010
