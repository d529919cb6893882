"""What each operator does to echoes, checked on scans where the answer is known."""

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.scene import Scene, amplitude, compress, noise
from tests.models.phantoms import SCANS, tissue

FULL: Mask = np.ones((240, 300), np.bool_)


def flat(grey: float) -> UnitImage:
    """A scan of one grey."""
    return np.full(FULL.shape, grey, np.float32)


def with_spot(grey: float) -> UnitImage:
    """One bright, small reflector in the upper middle."""
    image = flat(grey)
    image[60:63, 149:152] = 1
    return image


def scene_of(image: UnitImage, mask: Mask) -> Scene:
    """What an operator gets."""
    return Scene(image=image, scan_mask=mask, geometry=degrade.geometry_of(mask))


def test_compression_is_undone_by_its_inverse() -> None:
    """60 dB from black to white (SCIENCE 7.1)."""
    grey = np.linspace(0, 1, 11, dtype=np.float32)

    assert np.allclose(compress(amplitude(grey)), grey, atol=1e-6)
    assert amplitude(flat(0.0))[0, 0] == pytest.approx(1e-3)


def test_attenuation_loses_its_decibels_at_the_bottom() -> None:
    """20 dB of 60 are a third of the grey scale; halfway down a sixth."""
    loss = flat(0.9) - degrade.apply("ATT", flat(0.9), FULL, 3, 1)

    assert loss[-3:].mean() == pytest.approx(20 / 60, abs=0.02)
    assert loss[119:121].mean() == pytest.approx(10 / 60, abs=0.02)


def test_attenuated_tissue_sinks_into_noise_not_into_black() -> None:
    """Below the receiver's noise nothing gets darker."""
    deep = degrade.apply("ATT", flat(0.4), FULL, 5, 1)[-20:]

    assert 0.02 < deep.mean() < 0.2
    assert deep.std() > 0.03


def test_a_shadow_costs_its_decibels() -> None:
    """24 dB at level 4, in its core."""
    image = flat(0.8)
    area = degrade.affected_area("SHA", image, FULL, 4, 3)
    loss = image - degrade.apply("SHA", image, FULL, 4, 3)

    assert area is not None
    assert loss[area].max() == pytest.approx(24 / 60, abs=0.01)


def test_speckle_noise_has_the_power_it_says() -> None:
    """At 1 dB below the echo, mean power is 1 + 10^-0.1 of the echo's."""
    image = flat(0.6)
    power = amplitude(degrade.apply("SPK", image, FULL, 5, 1)) ** 2

    assert power.mean() / (amplitude(image) ** 2).mean() == pytest.approx(1.79, rel=0.05)


def test_reverberation_repeats_every_forty_pixels_and_fades() -> None:
    """The k-th copy of a white reflector is k times 20 log10(.5) = -6 dB down."""
    changed = degrade.apply("REV", with_spot(0.05), FULL, 4, 1)
    copies = [changed[61 + 40 * k, 150] for k in (1, 2, 3, 4)]

    assert np.diff(copies) == pytest.approx([-0.1, -0.1, -0.1], abs=0.06)
    assert changed[61 + 20, 150] < 0.1
    assert changed[61 - 40, 150] < 0.1


def test_reverberation_follows_the_rays_of_a_fan() -> None:
    """A reflector at the side repeats away from the apex, not straight down."""
    mask = SCANS["fan"]
    geometry = degrade.geometry_of(mask)
    image = np.where(mask, np.float32(0.05), 0).astype(np.float32)
    spot = mask & (np.abs(geometry.lateral - 0.85) < 0.01) & (np.abs(geometry.depth - 0.3) < 0.012)
    image[spot] = 1
    changed = degrade.apply("REV", image, mask, 5, 1)
    copies = mask & (changed > 0.3) & (geometry.depth > 0.36)

    assert copies.sum() > 20
    assert np.abs(geometry.lateral[copies] - 0.85).max() < 0.05


def test_reverberation_is_seen_where_much_is_white() -> None:
    """More than 3 % of white pixels leave nothing above the 97th percentile, yet echoes repeat."""
    image = flat(0.2)
    image[30:42] = 1

    assert degrade.apply("REV", image, FULL, 5, 1)[75:80].mean() > 0.5


def test_haze_fills_fluid_and_leaves_the_deep_field() -> None:
    """A cyst in the band turns grey without black cracks; below the band nothing changes."""
    image = flat(0.5)
    image[70:100, 130:170] = 0.03
    changed = degrade.apply("HAZ", image, FULL, 5, 1)

    assert changed[75:95, 135:165].mean() > 0.2
    assert np.percentile(changed[75:95, 135:165], 2) > 0.12
    assert np.abs(changed - image)[-10:].max() < 0.02


def test_side_lobes_lie_across_the_beam_beside_a_reflector() -> None:
    """Wings at the reflector's depth that fall off sideways; above and below nothing."""
    changed = degrade.apply("SLB", with_spot(0.05), FULL, 4, 1)
    wing = [changed[61, 150 + away] for away in (6, 20, 40)]

    assert wing[0] > wing[1] > wing[2] > 0.1
    assert changed[75, 150] < 0.1
    assert changed[61, 144] == pytest.approx(wing[0], abs=0.02)


def test_interference_lies_on_spokes_and_grows_with_depth() -> None:
    """A fifth of the pixels is hit; the deep half more than the shallow one."""
    image = flat(0.3)
    image[:4] = 1
    changed = degrade.apply("RF", image, FULL, 5, 1) - image
    hit = np.abs(changed) > 0.02

    assert 0.1 < hit.mean() < 0.35
    assert np.abs(changed[120:]).mean() > np.abs(changed[:120]).mean()


@pytest.mark.parametrize(("name", "n_greys"), [("QNT", 6)])
def test_quantisation_keeps_that_many_greys(name: str, n_greys: int) -> None:
    """Six at level 4, all of them between black and white."""
    ramp = np.tile(np.linspace(0, 1, FULL.shape[1], dtype=np.float32), (FULL.shape[0], 1))

    assert n_greys == len(np.unique(degrade.apply(name, ramp, FULL, 4, 1)))


def test_a_narrow_display_range_shows_only_the_top() -> None:
    """30 dB of 60: the lower half of the greys is black, the upper stretched over all."""
    changed = degrade.apply("DYR", flat(0.75), FULL, 3, 1)

    assert changed[0, 0] == pytest.approx(0.5)
    assert 0 == degrade.apply("DYR", flat(0.5), FULL, 3, 1).max()


def test_lost_lines_are_repeated_by_their_neighbours() -> None:
    """Four columns share one beam at level 3; nothing changes along it."""
    image = tissue(np.ones((260, 320), np.bool_))
    changed = degrade.apply("ALI", image, np.ones((260, 320), np.bool_), 3, 1)
    repeats = np.mean(changed[:, 1:] == changed[:, :-1])

    assert repeats == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("level", degrade.LEVELS)
def test_overlays_hide_about_their_share(level: int) -> None:
    """From half a percent to eight; the last mark may go a little beyond."""
    mask = SCANS["linear"]
    area = degrade.affected_area("ANN", tissue(mask), mask, level, 2)
    share = degrade.OPERATORS["ANN"].parameters[level - 1]

    assert area is not None
    assert share <= area.sum() / mask.sum() < share + 0.03


def test_a_depth_too_large_shows_the_target_smaller_below_the_same_skin() -> None:
    """At twice the depth a reflector lies half as deep, and the lower half is other tissue."""
    changed = degrade.apply("ZOM", with_spot(0.3), FULL, 3, 1)
    row, col = np.unravel_index(int(changed.argmax()), changed.shape)

    assert abs(row - 61 / 2) < 3
    assert abs(col - 150) < 3
    assert changed[:, :70].max() == 0
    assert changed[130:, 100:200].std() > 0


def test_noise_turns_with_the_beams_and_widens_with_depth() -> None:
    """Neighbours across a beam agree more than neighbours along it, and more at the bottom."""
    mask = SCANS["fan"]
    geometry = degrade.geometry_of(mask)
    field = noise(scene_of(tissue(mask), mask), np.random.default_rng(0), 1, 2)

    def agreement(near: float, far: float, *, across: bool) -> float:
        place = np.argwhere(mask & (geometry.depth > near) & (geometry.depth < far))
        down, side = geometry.axial_row, geometry.axial_col
        step = np.stack([-side, down] if across else [down, side], axis=-1)[tuple(place.T)]
        there = np.clip(np.rint(place + 2.5 * step).astype(int), 0, np.array(mask.shape) - 1)
        a, b = field[tuple(place.T)], field[tuple(there.T)]
        return float(np.real(a * b.conj()).mean() / np.abs(a * b.conj()).mean())

    assert agreement(0.6, 0.9, across=True) > agreement(0.6, 0.9, across=False) + 0.1
    assert agreement(0.6, 0.9, across=True) > agreement(0.1, 0.3, across=True)
    assert np.mean(np.abs(field[mask]) ** 2) == pytest.approx(1, rel=1e-3)
