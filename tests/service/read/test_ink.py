"""Strokes are taken off what is scored, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.errors import NotApplicableError
from sonogate.read.drawn.dots import in_chains
from sonogate.read.scan import Scene, assemble
from sonogate.score.scorer import scored
from sonogate.testing import speckle
from sonoquality.fill import echoes_below, without_ink

Grey = NDArray[np.uint8]
SHAPE = (480, 640)


def tissue(seed: int = 1) -> Grey:
    """Speckle that fills a frame, as smooth as a scanner's, and as dark as most tissue is shown."""
    small = Image.fromarray((speckle(SHAPE[0] // 3, SHAPE[1] // 3, seed) * 0.5).astype(np.uint8))
    return np.array(small.resize(SHAPE[::-1], Image.Resampling.BICUBIC))


def read(luma: Grey) -> FrameStack:
    """Read a picture of which the header says nothing."""
    whole = Region(x=0, y=0, width=SHAPE[1], height=SHAPE[0])
    return assemble([luma], (1,), 1, Scene(crop=whole, screen=SHAPE), Header())


def annotated(echoes: Grey, *, plate: int | None = None) -> tuple[Grey, NDArray[np.bool_]]:
    """Draw a label, a result on a plate, and two calipers with dots between; return where."""
    image, ink = Image.fromarray(echoes), Image.new("1", SHAPE[::-1])
    for picture, white, ground in ((image, 255, plate), (ink, 1, 1 if plate is not None else None)):
        pen = ImageDraw.Draw(picture)
        pen.fontmode = "1"
        font = ImageFont.load_default(14)
        if ground is not None:
            pen.rectangle((400, 340, 530, 362), fill=ground)
        pen.text((120, 100), "RT KIDNEY LONG", fill=white, font=font)
        pen.text((406, 342), "1 D 57.8 mm LIM", fill=white, font=font)
        for x, y in ((200, 200), (400, 270)):
            pen.line((x - 7, y, x + 7, y), fill=white)
            pen.line((x, y - 7, x, y + 7), fill=white)
        for share in np.linspace(0.04, 0.96, 34):
            x, y = 200 + 200 * share, 200 + 70 * share
            pen.line((x, y, x + 1, y), fill=white)
    return np.array(image), np.array(ink)


def test_ink_is_drawn_between_its_left_and_its_right() -> None:
    """A ramp below a stroke comes back as it was; a stroke at the border takes its only side."""
    ramp = np.tile(np.arange(40, dtype=np.uint8) * 4, (1, 6, 1))
    ink = np.zeros((6, 40), dtype=np.bool_)
    ink[2, 10:14] = ink[4, :3] = True
    written = np.where(ink, np.uint8(255), ramp)
    everything = np.ones_like(ink)
    filled = without_ink(written, ink, everything, everything)

    assert np.array_equal(ramp[0, 2], filled[0, 2])
    assert np.array_equal([12, 12, 12], filled[0, 4, :3])
    assert 255 == written[0, 2, 10]


def test_no_edge_of_a_sector_moves() -> None:
    """Ink across it is filled with echoes inside and with black outside."""
    frame = np.zeros((1, 5, 40), dtype=np.uint8)
    frame[..., 20:] = 100
    scan = frame[0] > 0
    ink = np.zeros_like(scan)
    ink[2, 15:25] = True
    written = np.where(ink, np.uint8(255), frame)

    assert np.array_equal(frame, without_ink(written, ink, np.ones_like(ink), scan))


def test_echoes_are_supposed_only_between_echoes() -> None:
    """Text beside a sector is no evidence of it, text across it is."""
    luma = np.zeros((2, 30), dtype=np.uint8)
    luma[:, 10:] = 90
    overlay = np.zeros((2, 30), dtype=np.bool_)
    overlay[0, 6:14] = overlay[1, 14:20] = True
    below = echoes_below(luma, overlay)

    assert not below[0, 6:14].any()
    assert (below[1, 14:20] == 90).all()


def test_annotations_leave_hardly_a_trace() -> None:
    """What is scored differs little from what was below them, and the scan is the same."""
    plain = read(tissue())
    written, ink = annotated(tissue())
    found = read(written)
    off = np.abs(scored(found)[0].astype(int) - plain.frames[0])

    assert found.overlay_mask[ink].mean() > 0.97
    assert (off[ink] > 120).mean() < 0.02
    assert (off[~ink] > 0).mean() < 0.04
    assert (found.scan_mask == plain.scan_mask).mean() > 0.99


@pytest.mark.parametrize("grey", [0, 20, 60])
def test_a_plate_below_a_result_is_left_out(grey: int) -> None:
    """It hides the echoes; what is beside it counts."""
    written, _ = annotated(tissue(), plate=grey)
    hidden = read(written).hidden_mask

    assert hidden[344:360, 402:528].mean() > 0.95
    assert hidden[:330].mean() < 0.001


def beside(written: Grey, words: str, at: tuple[int, int], grey: int) -> Grey:
    """Draw a small plate with one line of small text."""
    image = Image.fromarray(written)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    column, row = at
    pen.rectangle((column, row, column + 59, row + 15), fill=grey)
    pen.text((column + 3, row + 2), words, fill=255, font=ImageFont.load_default(10))
    return np.array(image)


@pytest.mark.parametrize("at", [(150, 200), (330, 120)])
def test_a_small_plate_is_left_out_though_tissue_beside_it_has_its_grey(
    at: tuple[int, int],
) -> None:
    """Dark speckle and the outline of a box touch it; neither makes it another form."""
    dark = (tissue() // 4 + 6).astype(np.uint8)
    written = beside(dark, "1 D 9.1", at, 20)
    written[at[1] + 3 : at[1] + 8, at[0] + 60 : at[0] + 90] = 20
    hidden = read(written).hidden_mask
    plate = hidden[at[1] : at[1] + 16, at[0] : at[0] + 60]

    assert plate.mean() > 0.95
    assert hidden.sum() - plate.sum() < 40


def test_dark_fluid_below_letters_is_no_plate() -> None:
    """It goes on beside every rectangle that is laid into it."""
    written = tissue()
    down, across = np.indices(SHAPE)
    written[np.hypot((down - 240) / 26, (across - 330) / 90) < 1] = 12
    image = Image.fromarray(written)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pen.text((270, 231), "CYST 1 D 42 mm", fill=255, font=ImageFont.load_default(14))

    assert not read(np.array(image)).hidden_mask.any()


def test_letters_between_which_echoes_shine_hide_nothing() -> None:
    """Only ink is replaced: the box around a line of text is not left out."""
    written, _ = annotated(tissue())

    assert not read(written).hidden_mask.any()


def test_a_dotted_line_is_a_chain_and_scattered_dots_are_none() -> None:
    """Ten dots at even steps are told from four hundred anywhere."""
    rng = np.random.default_rng(4)
    scattered = rng.uniform(0, 250, (400, 2))
    line = np.array([300.0, 80.0]) + np.arange(10)[:, None] * np.array([2.0, 6.3])
    found = in_chains(np.concatenate([scattered, np.rint(line)]), 640)

    assert found[400:].all()
    assert found[:400].mean() < 0.05


def test_a_scan_full_of_labels_is_no_page() -> None:
    """A cropped scan with fifty letters is still an image; letters on black are not."""
    image, page = Image.fromarray(tissue()), Image.new("L", SHAPE[::-1])
    for picture in (image, page):
        pen = ImageDraw.Draw(picture)
        for row in range(40, 440, 40):
            pen.rectangle((60, row, 240, row + 18), fill=20)
            pen.text((64, row), "1 D 57.8 mm LIM DIST", fill=255, font=ImageFont.load_default(14))

    assert read(np.array(image)).scan_mask.mean() > 0.9
    with pytest.raises(NotApplicableError):
        read(np.array(page))
