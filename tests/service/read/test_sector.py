"""A fan keeps its form where a side lost its contact."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sonogate.read.sector import completed_fan

HEIGHT, WIDTH = 400, 600


def fan(axis: float = (WIDTH - 1) / 2) -> NDArray[np.bool_]:
    """Draw a fan of 70 degrees whose apex lies above the image."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    across, down = columns - axis, rows + 60.0
    radius, angle = np.hypot(across, down), np.degrees(np.arctan2(across, down))
    inside: NDArray[np.bool_] = (radius > 80) & (radius < 440) & (np.abs(angle) < 35)
    return inside


def without(mask: NDArray[np.bool_], *, left_degrees: float) -> NDArray[np.bool_]:
    """Let the beams left of an angle fall silent."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.degrees(np.arctan2(columns - (WIDTH - 1) / 2, rows + 60.0))
    heard: NDArray[np.bool_] = mask & (angle > left_degrees)
    return heard


@pytest.mark.parametrize("left_degrees", [-25.0, -12.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_lost_side_is_given_back(left_degrees: float, mirrored: bool) -> None:  # noqa: FBT001
    """A fifth or a third of the beams, on either side."""
    partial = without(fan(), left_degrees=left_degrees)
    seen = partial[:, ::-1] if mirrored else partial

    np.testing.assert_array_equal(fan(), completed_fan(seen))


def test_a_fan_that_lies_aside_is_left_alone() -> None:
    """Its axis is not the middle of the image, so nothing is known of its other side."""
    aside = fan(axis=200.0)

    np.testing.assert_array_equal(aside, completed_fan(aside))


def test_half_a_picture_is_left_alone() -> None:
    """A linear scan in the left half of a dual image is no broken fan."""
    half = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    half[:, : WIDTH // 2] = True

    np.testing.assert_array_equal(half, completed_fan(half))


def test_a_whole_fan_is_left_alone() -> None:
    """Rough edges are not smoothed."""
    rough = fan()
    rough[100:110] = False

    np.testing.assert_array_equal(rough, completed_fan(rough))
