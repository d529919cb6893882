"""Area interpolation gives OpenCV's numbers; those below were printed by OpenCV 4.11 and 5.0."""

import numpy as np
import pytest

from sonoquality.arrays import ShapeError
from sonoquality.metrics.area import area_matrices, resize_area

PRINTED = {
    "both axes shrink": (
        [[217, 163, 130, 69, 78], [10, 19, 4, 44, 208], [166, 233, 128, 155, 248]],
        [[134.80000, 87.93330, 97.06670], [133.06670, 107.93330, 188.0]],
    ),
    "one grows": (
        [[186, 161, 139, 143, 239], [71, 208, 171, 0, 100], [219, 141, 8, 195, 186]],
        [
            [176.0, 143.4, 200.6],
            [159.26669, 155.06661, 153.73331],
            [125.8, 178.4, 60.0],
            [167.13341, 82.53332, 146.4],
            [187.8, 34.6, 189.6],
        ],
    ),
    "both grow": (
        [[216, 44, 22], [220, 5, 138]],
        [
            [216.0, 158.6667, 44.0, 29.3333, 22.0],
            [216.0, 158.6667, 44.0, 29.3333, 22.0],
            [220.0, 148.3333, 5.0, 93.6667, 138.0],
            [220.0, 148.3333, 5.0, 93.6667, 138.0],
        ],
    ),
}


@pytest.mark.parametrize("case", PRINTED)
def test_small_images_are_resized_as_opencv_does(case: str) -> None:
    """Where an axis grows, OpenCV's area mode is no average of areas; that is kept."""
    pixels, printed = (np.asarray(each) for each in PRINTED[case])

    resized = resize_area(pixels.astype(np.float32), (printed.shape[0], printed.shape[1]))

    assert np.allclose(printed, resized, atol=1e-4)


def test_a_place_on_a_whole_pixel_falls_to_the_side_opencv_takes() -> None:
    """400 px to 224 beside a growing axis: OpenCV's rounding of 25.0 decides."""
    ramp = np.arange(400, dtype=np.float32)[None].repeat(150, axis=0) ** 2 / 1000

    resized = resize_area(ramp.astype(np.float32), (224, 224))

    assert np.allclose([0.55531996, 0.64743996, 0.72264], resized[3, 13:16], atol=1e-6)


@pytest.mark.parametrize("size", [(100, 80), (300, 500), (150, 400), (224, 224), (1, 900)])
def test_grey_stays_grey(size: tuple[int, int]) -> None:
    """Every row of both matrices sums to 1."""
    sums = [matrix.sum(axis=1) for matrix in area_matrices(size, (224, 224))]

    assert np.allclose(1.0, sums)


def test_nothing_can_be_resized_to_nothing() -> None:
    """An empty image is refused."""
    with pytest.raises(ShapeError, match="height, width"):
        resize_area(np.zeros((0, 4), np.float32), (2, 2))
