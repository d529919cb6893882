"""What an adviser is shown: two small pictures, made of the thumbnail and of nothing else."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sonogate.act.advice.plates import MAX_AREA, Order, draw, plates_of


def png_of(grey: np.ndarray, region: str | None = None) -> bytes:
    """Write a thumbnail."""
    said, out = PngInfo(), io.BytesIO()
    if region is not None:
        said.add_text("sonogate-region", region)
        said.add_text("PatientName", "Canary^Name")
    Image.fromarray(grey).save(out, "PNG", pnginfo=said)
    return out.getvalue()


def opened(png: bytes) -> Image.Image:
    """Open what was drawn."""
    return Image.open(io.BytesIO(png))


def quartered() -> np.ndarray:
    """A picture whose right lower quarter is white."""
    grey = np.zeros((240, 320), np.uint8)
    grey[120:, 160:] = 255
    return grey


def test_the_worst_finding_is_cut_out() -> None:
    """Its place is told in pixels of the stored frame, of which the thumbnail is a part."""
    thumbnail = png_of(quartered(), "100,50,640,480")
    order = Order(thumbnail=thumbnail, region=(100 + 320, 50 + 240, 320, 240))
    whole, crop = (opened(each) for each in plates_of(order).pictures)

    assert whole.width * whole.height <= MAX_AREA
    assert whole.size[0] / whole.size[1] == pytest.approx(320 / 240, rel=0.01)
    assert 250 < np.asarray(crop).mean()
    assert ("L", {}) == (crop.mode, crop.info)


def test_without_a_place_the_heat_map_says_where() -> None:
    """The box around its most opaque part."""
    heat = np.zeros((240, 320, 4), np.uint8)
    heat[..., 3] = 20
    heat[120:, 160:, 3] = 170
    order = Order(thumbnail=png_of(quartered(), "0,0,320,240"), heatmap=png_of(heat))
    _whole, crop = plates_of(order).pictures

    assert 250 < np.asarray(opened(crop)).mean()


@pytest.mark.parametrize("region", [None, "", "1,2,3", "a,b,c,d", "0,0,0,0", "0,0,٣,4"])
def test_without_any_place_the_whole_is_shown(region: str | None) -> None:
    """A chunk that is missing or odd is no place."""
    order = Order(thumbnail=png_of(quartered(), region), region=(1, 1, 5, 5))

    assert 1 == len(plates_of(order).pictures)


@pytest.mark.parametrize(
    "region", [(-500, -500, 5, 5), (0, 0, 0, 0), (10**9, 10**9, 9, 9), (300, 0, 10**9, 10**9)]
)
def test_a_place_outside_is_clipped_or_none(region: tuple[int, int, int, int]) -> None:
    """Whatever a header made of it."""
    order = Order(thumbnail=png_of(quartered(), "0,0,320,240"), region=region)

    assert all(opened(each).size for each in plates_of(order).pictures)


async def test_it_is_drawn_in_a_process_of_its_own() -> None:
    """No text of the thumbnail's file goes along; what is no PNG is nothing to show."""
    pictures = await draw(Order(thumbnail=png_of(quartered(), "0,0,320,240"), region=(0, 0, 9, 9)))
    broken = await draw(Order(thumbnail=b"GIF89a"))

    assert 2 == len(pictures)
    assert not any(b"Canary" in each or b"tEXt" in each for each in pictures)
    assert () == broken


async def test_a_picture_that_is_too_large_is_not_opened() -> None:
    """A thumbnail is at most 320 pixels wide; a bomb comes from a worker that was taken over."""
    bomb = png_of(np.zeros((3000, 3000), np.uint8))

    assert () == await draw(Order(thumbnail=bomb))
