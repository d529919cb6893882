"""From a frame to windows: the mask covers the scan, the scale is never enlarged."""

from time import process_time

import numpy as np
import pytest

from sonoquality.arrays import Luma, Mask, ShapeError
from sonoquality.golden import PHANTOMS, inputs_of
from sonoquality.preprocess import luma_of, scan_mask, windows_of, working_image

FAN = next(phantom for phantom in PHANTOMS if phantom.fan)


def speckle(height: int, width: int) -> Luma:
    """Return echoes everywhere, never black."""
    return np.random.default_rng(1).integers(40, 200, (height, width)).astype(np.uint8)


def framed(height: int, width: int, border: int, ground: int = 0) -> Luma:
    """Return echoes with a border of one grey around them."""
    image = np.full((height, width), ground, dtype=np.uint8)
    inside = (slice(border, height - border), slice(border, width - border))
    image[inside] = speckle(height, width)[inside]
    return image


def overlap(found: Mask, wanted: Mask) -> float:
    """Return intersection over union."""
    return float((found & wanted).sum() / (found | wanted).sum())


@pytest.mark.parametrize("ground", [0, 90])
def test_the_mask_leaves_out_a_frame_of_any_grey(ground: int) -> None:
    """A viewer's border is no tissue, be it black or grey."""
    found = scan_mask(framed(480, 640, 60, ground))

    wanted = np.zeros((480, 640), dtype=np.bool_)
    wanted[60:-60, 60:-60] = True
    assert overlap(found, wanted) > 0.95


def test_the_mask_leaves_out_a_frame_of_several_greys() -> None:
    """A viewer's title bar, a grey wedge, a curve and text in its frame are no tissue either."""
    screen = np.full((250, 448), 56, dtype=np.uint8)
    screen[17:240, 87:361] = speckle(223, 274)
    screen[:15], screen[246:] = 66, 79
    screen[5:8, 150:180], screen[11:13, 250:290] = 126, 126
    screen[30:75, 4:12] = np.linspace(255, 0, 45).astype(np.uint8)[:, None]
    screen[20:60:4, 422:440] = 200
    screen[17:240, 27] = 120

    wanted = np.zeros(screen.shape, dtype=np.bool_)
    wanted[17:240, 87:361] = True
    assert overlap(scan_mask(screen), wanted) > 0.93


def test_depth_without_echoes_beside_a_scan_is_no_frame() -> None:
    """Sides of one dark grey, as deep tissue may show, leave the picture whole."""
    picture = speckle(300, 400)
    picture[60:, :20] = picture[60:, -20:] = 20

    assert scan_mask(picture).all()


def test_the_mask_follows_a_fan_and_leaves_out_the_lens_above_it() -> None:
    """The corners beside a fan and the dark lens under a curved face hold no echoes."""
    luma, found, _ = inputs_of(FAN)

    assert overlap(found, luma > 0) > 0.93
    assert not found[0, 0]
    assert not found[-1, 0]


def test_a_black_frame_is_masked_whole() -> None:
    """No echo at all is a finding, not an absent scan: the mask is the whole rectangle."""
    assert scan_mask(np.zeros((200, 300), dtype=np.uint8)).all()


def test_lost_contact_inside_the_scan_stays_in_the_mask() -> None:
    """Dark lines from the skin down between echoes are for the model to see."""
    image = speckle(400, 500)
    image[:, 200:300] = 0

    assert scan_mask(image)[:, 200:300].mean() > 0.95


def test_depth_without_echo_stays_in_the_mask_of_a_linear_scan() -> None:
    """Attenuation ends raggedly and belongs to the scan."""
    image = speckle(400, 500)
    ends = (300 + 60 * np.sin(np.arange(500) / 30.0)).astype(int)
    image[np.arange(400)[:, None] > ends[None, :]] = 0

    assert scan_mask(image).mean() > 0.95


def test_a_letterbox_below_is_left_out() -> None:
    """A straight edge right across is the edge of the picture, not the end of penetration."""
    image = speckle(400, 500)
    image[300:] = 0

    assert abs(scan_mask(image).mean() - 0.75) < 0.02


def test_overlay_is_no_evidence_for_the_scan() -> None:
    """A large bright logo beside a scan does not stretch the mask."""
    image = framed(480, 640, 100)
    logo = np.zeros(image.shape, dtype=np.bool_)
    logo[380:480, 200:400] = True
    image[logo] = 255

    assert not scan_mask(image, logo)[420:].any()


def test_the_mask_is_quick() -> None:
    """A gate looks at every frame: 800x600 takes less than 15 ms (best of five)."""
    image = framed(600, 800, 50)

    def once() -> float:
        start = process_time()
        scan_mask(image)
        return process_time() - start

    assert min(once() for _ in range(5)) < 0.015


def test_the_scan_is_reduced_to_the_working_scale_and_never_enlarged() -> None:
    """The longer side of the scan area is at most 448 px, and a smaller one keeps its pixels."""
    large, small = speckle(600, 896), speckle(300, 400)

    reduced = working_image(large, np.ones(large.shape, dtype=np.bool_))
    kept = working_image(small, np.ones(small.shape, dtype=np.bool_))

    assert reduced.size == (448, 300)
    assert np.array_equal(np.round(kept.image * 255.0), small)


def test_448_by_336_gives_six_windows() -> None:
    """Stride 112 in both directions."""
    image = speckle(336, 448)
    windows = windows_of(working_image(image, np.ones(image.shape, dtype=np.bool_)))

    assert windows.pixels.shape == (6, 1, 224, 224)
    assert set(windows.corners) == {(y, x) for y in (0, 112) for x in (0, 112, 224)}


def test_a_small_scan_is_padded_outside_the_mask_and_marked() -> None:
    """Padding never counts as black tissue."""
    image = speckle(100, 120)
    windows = windows_of(working_image(image, np.ones(image.shape, dtype=np.bool_)))

    assert windows.masks.sum() == image.size
    assert not windows.enough


def test_overlay_pixels_do_not_count() -> None:
    """Text inside the scan is cut out of the mask, not out of the picture."""
    image = speckle(300, 300)
    overlay = np.zeros(image.shape, dtype=np.bool_)
    overlay[100:120] = True

    working = working_image(image, np.ones(image.shape, dtype=np.bool_), overlay)

    assert not working.mask[100:120].any()


def test_luminance_weighs_green_most() -> None:
    """BT.601: 0.299 red, 0.587 green, 0.114 blue."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)

    assert [76, 150, 29] == luma_of(colours)[0].tolist()


def test_wrong_shapes_are_refused_with_what_was_given() -> None:
    """The message names the shape."""
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\)"):
        scan_mask(np.zeros((2, 3, 3), dtype=np.uint8))
    with pytest.raises(ShapeError, match="empty"):
        working_image(speckle(300, 300), np.zeros((300, 300), dtype=np.bool_))
