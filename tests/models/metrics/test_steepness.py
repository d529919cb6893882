"""The gradient's magnitude, beside scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from sonoquality.metrics.steepness import gradient_magnitude


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("shape", [(224, 224), (336, 448), (31, 17), (5, 40)])
def test_it_is_scipy_s(shape: tuple[int, int], sigma_px: float) -> None:
    """Also where the picture is smaller than the Gaussian, or no multiple of a block."""
    image = np.random.default_rng(1).random(shape, np.float32)
    expected = ndimage.gaussian_gradient_magnitude(image, sigma_px)
    found = gradient_magnitude(image, sigma_px)

    assert np.float32 == found.dtype
    assert expected == pytest.approx(found, abs=2e-7)
