"""The ladder: known faults, where they should be and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoquality import degrade
from sonoquality.arrays import Mask, UnitImage
from tests.models.phantoms import SCANS, tissue

EVERY = sorted(degrade.OPERATORS)
PROBES = sorted(SCANS)


def degraded(name: str, probe: str, level: int, seed: int = 4) -> tuple[UnitImage, UnitImage, Mask]:
    """An image before and after, and its mask."""
    mask = SCANS[probe]
    image = tissue(mask)
    return image, degrade.apply(name, image, mask, level, seed), mask


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("name", EVERY)
def test_a_ladder_leaves_the_image_further_with_every_level(name: str, probe: str) -> None:
    """The mean squared change grows with the level, as PSNR falls in SCIENCE 7.3."""
    changes = []
    for level in (0, *degrade.LEVELS):
        image, changed, mask = degraded(name, probe, level)
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert np.array_equal(changed[~mask], image[~mask])
        changes.append(float(np.mean((changed - image)[mask] ** 2)))

    assert changes[0] == 0
    if name == "ALI":  # dropped lines hit other places at every level: only the trend counts
        assert changes[1] < changes[3] < changes[5]
    else:
        assert all(np.diff(changes) > 0), changes


@pytest.mark.parametrize("name", EVERY)
def test_the_same_seed_gives_the_same_image(name: str) -> None:
    """A sample can be made again from its record."""
    assert np.array_equal(degraded(name, "fan", 3)[1], degraded(name, "fan", 3)[1])


@pytest.mark.parametrize("name", ["ATT", "CON", "HAZ", "SHA", "SPK", "TGC"])
def test_other_seeds_give_other_images(name: str) -> None:
    """Places and noise are drawn; a model must not learn one of them by heart."""
    images = {degraded(name, "fan", 3, seed)[1].tobytes() for seed in range(6)}

    assert len(images) > 1


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(EVERY),
    probe=st.sampled_from(PROBES),
    level=st.sampled_from((0, *degrade.LEVELS)),
    seed=st.integers(0, 2**31),
)
def test_an_operator_stays_inside_the_scan_whatever_the_seed(
    name: str, probe: str, level: int, seed: int
) -> None:
    """The background is untouched, grey stays grey, and a second call gives the same image."""
    image, changed, mask = degraded(name, probe, level, seed)

    assert np.array_equal(changed[~mask], image[~mask])
    assert np.isfinite(changed).all()
    assert 0 <= changed.min() <= changed.max() <= 1
    assert np.array_equal(changed, degraded(name, probe, level, seed)[1])
    assert np.array_equal(changed, image) == (level == 0)


def test_every_operator_names_its_formula_and_the_source_of_it() -> None:
    """Twenty operators, eighteen of which count."""
    assert list(degrade.OPERATORS) == list(degrade.FORMULAS)
    assert 20 == len(degrade.OPERATORS)
    assert 18 == len(degrade.LADDER)
    assert all("SCIENCE 7" in formula.source for formula in degrade.FORMULAS.values())


@pytest.mark.parametrize("name", EVERY)
def test_a_record_says_what_was_done(name: str) -> None:
    """Strength by level, and what the seed chose."""
    mask = SCANS["fan"]
    found = degrade.record(name, tissue(mask), mask, 4, 7)

    assert (name, 4, 7) == (found.operator, found.level, found.seed)
    assert degrade.OPERATORS[name].parameters[3] == found.strength
    assert (name in {"TGC", "SHA", "CON"}) == bool(found.drawn)
    assert degrade.record(name, tissue(mask), mask, 0, 7).strength is None


def test_a_record_says_where_a_shadow_lies() -> None:
    """The shadow is centred on the reflector that the record names."""
    mask = SCANS["fan"]
    image = tissue(mask)
    area = degrade.affected_area("SHA", image, mask, 4, 4)
    drawn = degrade.record("SHA", image, mask, 4, 4).drawn
    geometry = degrade.geometry_of(mask)

    assert area is not None
    assert abs(np.median(geometry.lateral[area]) - drawn["lateral"]) < 0.02
    assert geometry.depth[area].min() > drawn["depth"]


def test_gain_is_a_shift_of_grey() -> None:
    """Six decibels of sixty are a tenth of the grey scale, whatever the grey (SCIENCE 7.1)."""
    image, changed, mask = degraded("G+", "linear", 1)
    inside = mask & (image < 0.9)

    assert np.allclose((changed - image)[inside], 0.1, atol=1e-6)


@pytest.mark.parametrize("probe", PROBES)
def test_lost_contact_is_dark_from_the_skin_down(probe: str) -> None:
    """About 40 % of the lines at level 4, along their whole depth."""
    mask = SCANS[probe]
    area = degrade.affected_area("CON", tissue(mask), mask, 4, 4)
    image, changed, _ = degraded("CON", probe, 4)
    lateral = degrade.geometry_of(mask).lateral

    assert area is not None
    assert 0.3 < area.sum() / mask.sum() < 0.5
    assert np.mean(changed[area]) < 0.05
    assert np.array_equal(changed[mask & ~area].round(1), image[mask & ~area].round(1)) or (
        np.mean(np.abs(changed - image)[mask & ~area]) < 0.02
    )
    assert np.ptp(lateral[area]) < 0.5


def test_a_shadow_lies_below_its_reflector_and_along_the_rays() -> None:
    """In a fan a shadow widens and leans with the rays; above the reflector nothing changes."""
    mask = SCANS["fan"]
    image = tissue(mask)
    area = degrade.affected_area("SHA", image, mask, 4, 4)
    geometry = degrade.geometry_of(mask)

    assert area is not None
    assert geometry.apex is not None
    assert geometry.depth[area].min() > 0.1
    assert geometry.depth[area].max() > 0.9
    assert np.ptp(geometry.lateral[area]) < 0.3


def test_attenuation_spares_the_near_field() -> None:
    """Thirty decibels at the bottom are next to nothing at the skin."""
    image, changed, mask = degraded("ATT", "linear", 4)
    depth = degrade.geometry_of(mask).depth
    loss = image - changed

    assert abs(float(np.mean(loss[mask & (depth < 0.1)]))) < 0.05
    assert float(np.mean(loss[mask & (depth > 0.9)])) > 0.25


def test_defocus_blurs_across_the_beams_more_than_along_them() -> None:
    """Beams widen; pulses stay short."""
    image, changed, _ = degraded("DEF", "linear", 3)
    inner = np.s_[40:-40, 40:-40]

    def kept(axis: int) -> float:
        steps = [np.abs(np.diff(each[inner], axis=axis)).mean() for each in (changed, image)]
        return float(steps[0] / steps[1])

    assert kept(axis=1) < 0.6 * kept(axis=0)


def test_only_local_faults_have_an_area() -> None:
    """The localisation of a heat map is asked only where there is one place to find."""
    mask = SCANS["linear"]
    image = tissue(mask)
    local = {name for name in EVERY if degrade.affected_area(name, image, mask, 3, 1) is not None}

    assert {"SHA", "CON", "HAZ", "ANN"} == local


def test_worse_faults_leave_less_quality() -> None:
    """The provisional labels of SCIENCE 7.4: bands low < 45 <= medium < 75 <= high."""
    assert degrade.provisional_quality({}) == 100
    assert degrade.provisional_quality({"CON": 5}) == pytest.approx(19)
    assert degrade.provisional_quality({"G-": 5}) == pytest.approx(46)
    assert degrade.provisional_quality({"CON": 3, "JPG": 3}) < degrade.provisional_quality(
        {"CON": 3}
    )


@pytest.mark.parametrize(
    ("name", "level", "shape"), [("XYZ", 1, (260, 320)), ("G-", 6, (260, 320)), ("G-", 1, (9, 9))]
)
def test_a_wrong_request_is_refused(name: str, level: int, shape: tuple[int, int]) -> None:
    """With the remedy, not with an index error."""
    with pytest.raises(ValueError, match=r"operator|Level|differ"):
        degrade.apply(name, np.zeros(shape, np.float32), SCANS["linear"], level, 0)
