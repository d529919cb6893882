"""Beams are found from the mask alone."""

import numpy as np
import pytest

from sonoquality.geometry import geometry_of
from tests.models.phantoms import HEIGHT, SCANS, WIDTH


def test_a_rectangle_has_parallel_beams() -> None:
    """Depth runs from 0 at the skin to 1 at the bottom, lateral from left to right."""
    geometry = geometry_of(SCANS["linear"])

    assert geometry.apex is None
    assert geometry.depth[10, 100] == pytest.approx(0, abs=0.01)
    assert geometry.depth[HEIGHT - 11, 100] == pytest.approx(1, abs=0.01)
    assert geometry.lateral[50, 12] == pytest.approx(0, abs=0.01)
    assert geometry.lateral[50, WIDTH - 13] == pytest.approx(1, abs=0.01)


def test_a_fan_has_its_apex_where_its_sides_meet() -> None:
    """The phantom's apex is 60 rows above the picture, in the middle."""
    geometry = geometry_of(SCANS["fan"])

    assert geometry.apex is not None
    assert geometry.apex[0] == pytest.approx(-60, abs=8)
    assert geometry.apex[1] == pytest.approx(WIDTH / 2, abs=3)


def test_depth_in_a_fan_is_constant_on_arcs() -> None:
    """A point at the side lies higher in the picture than one of the same depth in the middle."""
    geometry = geometry_of(SCANS["fan"])
    arc = SCANS["fan"] & (np.abs(geometry.depth - 0.5) < 0.01)
    rows, columns = np.nonzero(arc)

    assert rows[columns > WIDTH * 0.75].mean() < rows[np.abs(columns - WIDTH / 2) < 10].mean() - 10


def test_a_mask_without_a_scan_is_refused() -> None:
    """There are no beams in nothing."""
    with pytest.raises(ValueError, match="True pixel"):
        geometry_of(np.zeros((9, 9), np.bool_))
