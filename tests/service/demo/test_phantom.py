"""The phantom: the same seed gives the same picture, and each fault does what it says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sonogate.demo.phantom import Fault, make_scan
from sonogate.demo.probe import CONVEX, LINEAR
from sonogate.demo.views import VIEWS


def scan(view: str = "kidney", fault: Fault = Fault.NONE, seed: int = 3) -> NDArray[np.float64]:
    """Draw a small scan, as numbers."""
    made = make_scan(VIEWS[view], seed=seed, fault=fault, height=240)
    return made.picture.astype(np.float64)


def inside(picture: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the fan: what a picture of full gain covers."""
    beams = np.ones((512, 224))
    mask, _ = CONVEX.to_picture(beams, picture.shape[0])
    return np.asarray(mask > 0)


def test_the_seed_determines_every_pixel() -> None:
    """Two runs are equal; another seed is another picture."""
    assert np.array_equal(scan(seed=5), scan(seed=5))
    assert not np.array_equal(scan(seed=5), scan(seed=6))


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_view_shows_tissue_on_black(name: str) -> None:
    """A good picture is neither dark nor burnt out, and the fan's corners are black."""
    made = make_scan(VIEWS[name], seed=1, height=240)
    mean = made.picture[made.picture > 0].mean()

    assert 50 < mean < 150
    if VIEWS[name].probe.radius_cm is not None:
        assert 0 == made.picture[-1, 0]
    assert made.cm_per_pixel * 240 == pytest.approx(
        VIEWS[name].probe.extent_cm()[3] - VIEWS[name].probe.extent_cm()[1]
    )


def test_tissue_has_speckle() -> None:
    """In parenchyma the echo varies as compounded speckle does: some 3 to 4 dB, 10 to 25 greys."""
    lobe = scan("thyroid")
    patch = lobe[96:132, 132:168]

    assert 8 < patch.std() < 30


def test_low_gain_is_a_shift_in_grey_not_a_factor() -> None:
    """27 dB less on a 60 dB scale are 115 grey levels less wherever there is room below."""
    good, dark = scan(), scan(fault=Fault.LOW_GAIN)
    bright = good > 160

    assert np.median(good[bright] - dark[bright]) == pytest.approx(115, abs=8)


def test_poor_contact_takes_a_third_from_the_skin_down() -> None:
    """The left third is dark below the ringing, the right half is as before."""
    good, bad = scan("thyroid"), scan("thyroid", Fault.POOR_CONTACT)
    width = good.shape[1]
    deep = slice(60, None)

    assert bad[deep, : width // 4].mean() < 8
    assert bad[deep, width // 2 :].mean() > 0.8 * good[deep, width // 2 :].mean()


def test_no_contact_shows_only_the_probes_own_ringing() -> None:
    """Bright lines at the face, nothing below."""
    bad = scan("thyroid", Fault.NO_CONTACT)

    assert bad[:10].mean() > 60
    assert bad[60:].mean() < 8


def test_attenuation_takes_the_depth_and_leaves_noise() -> None:
    """The near field stays, the far field is dark but not black: the receiver's noise is there."""
    good, bad = scan(), scan(fault=Fault.ATTENUATED)
    fan = inside(good)
    near, far = slice(20, 60), slice(160, 220)

    assert bad[near][fan[near]].mean() > 0.8 * good[near][fan[near]].mean()
    assert 5 < bad[far][fan[far]].mean() < 0.7 * good[far][fan[far]].mean()


def test_blur_removes_the_fine_grain() -> None:
    """Out of focus, neighbours are alike."""
    good, bad = scan(), scan(fault=Fault.BLUR)

    assert np.abs(np.diff(bad, axis=1)).mean() < 0.5 * np.abs(np.diff(good, axis=1)).mean()


def test_noise_fills_what_is_anechoic() -> None:
    """The carotid is nearly black; under noise it is grey."""
    assert scan("carotid")[120, 100:140].mean() < 30
    assert scan("carotid", Fault.NOISE)[120, 100:140].mean() > 70


def test_a_linear_probe_shows_a_rectangle_in_true_proportions() -> None:
    """Pixels are square: width to height as in centimetres."""
    picture, cm = LINEAR.to_picture(np.ones((512, 224)), 400)

    assert picture.shape[1] * cm == pytest.approx(2 * LINEAR.half_width_cm, abs=cm)
