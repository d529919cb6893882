"""How MedQM-I's word is read beside NRQ's, checked against the rule written out by hand."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.attributes import AttributeMeasure, worse_of
from sonoquality.card import BadCardError, ModelCard
from sonoquality.golden import PHANTOMS, differences, inputs_of
from sonoquality.joining import Told, joined, located
from sonoquality.model import QualityModel
from sonoquality.preprocess import windows_of, working_image
from sonoquality.utility import FaultScale, UtilityScale, off_by
from sonoquality.zoo import CARD_FILE, JOINED, MODEL_FILE, PARENT_FILE, SHIPPED, default_zoo

ENTRY = default_zoo() / JOINED
SCALE = UtilityScale(
    weight=2.0,
    from_logit=math.log(0.9 / 0.1),
    sure_below=0.1,
    unsure_from=0.3,
    finding_at=0.35,
    attributes=("noise",),
    faults=(),
)
NOISE = FaultScale(attribute="noise", code="noisy", named_at=1.0, full=3.0, located=False)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    """The card that ships, with a scale of round numbers."""
    return replace(ModelCard.read(ENTRY), utility=SCALE)


def told(utility: float, off: float) -> Told:
    """What MedQM-I says, without faults."""
    return Told(utility=utility, off_by=off, severities={}, maps={})


def test_a_clean_utility_changes_nothing(card: ModelCard) -> None:
    """From where most clean images lie upwards, the score is NRQ's."""
    for utility in (0.9, 0.97, 1.0):
        assert joined(3.0, told(utility, 0.0), card, 6).badness == pytest.approx(3.0)


def test_badness_rises_by_the_fall_of_the_logit(card: ModelCard) -> None:
    """Of utility .5 the logit is 0: the whole of ln 9 below, times 2."""
    assert joined(1.0, told(0.5, 0.05), card, 6).badness == pytest.approx(1 + 2 * math.log(9))


@pytest.mark.parametrize(("off", "share"), [(0.1, 1.0), (0.2, 0.5), (0.3, 0.0), (0.9, 0.0)])
def test_what_is_unsure_counts_less(card: ModelCard, off: float, share: float) -> None:
    """In full up to .1, half at .2, not at all from .3."""
    expected = 1 + share * 2 * math.log(9)
    assert joined(1.0, told(0.5, off), card, 6).badness == pytest.approx(expected)


def test_a_doubt_that_decides_about_a_band_is_told(card: ModelCard) -> None:
    """A clean image by NRQ that an unsure utility would make low is not sure; a sure one is low."""
    high = card.scale.anchors[-1].badness[0]
    assert joined(high, told(0.2, 0.9), card, 6).unsure
    assert not joined(high, told(0.2, 0.0), card, 6).unsure
    assert not joined(high, told(0.95, 0.9), card, 6).unsure
    assert not joined(50.0, told(0.2, 0.9), card, 6).unsure


def test_no_utility_is_impossible(card: ModelCard) -> None:
    """Neither 0 nor 1, whose logits are infinite, gives a badness that is."""
    for utility in (0.0, 1.0):
        assert math.isfinite(joined(1.0, told(utility, 0.0), card, 6).badness)


@pytest.mark.parametrize(
    ("severity", "expected"), [(0.0, 0.0), (0.5, 0.175), (1.0, 0.35), (2.0, 0.675), (4.0, 1.0)]
)
def test_a_fault_is_named_where_its_card_says(severity: float, expected: float) -> None:
    """Two lines that meet where a finding begins."""
    assert NOISE.severity(severity, 0.35) == pytest.approx(expected)


def test_doubt_is_read_as_it_was_taught() -> None:
    """The inverse of the smooth L1 loss at rest, for little and much doubt."""
    for off in (0.03, 0.08, 0.25):
        lost = off**2 / 0.2 if off < 0.1 else off - 0.05
        assert off_by(math.log(lost / 0.1)) == pytest.approx(off)


def test_the_more_severe_word_counts_and_lies_where_it_was_measured() -> None:
    """A model that sees more of a fault raises it; it does not move it."""
    measured = {
        "empty": AttributeMeasure(0.0),
        "shadowed": AttributeMeasure(0.2, (1, 2, 3, 4)),
        "noisy": AttributeMeasure(0.9),
    }
    said = {
        "shadowed": AttributeMeasure(0.8, (9, 9, 9, 9)),
        "noisy": AttributeMeasure(0.1),
        "motion": AttributeMeasure(0.5),
    }

    both = worse_of(measured, said)

    assert both["shadowed"] == AttributeMeasure(0.8, (1, 2, 3, 4))
    assert both["noisy"].severity == 0.9
    assert both["motion"].severity == 0.5
    assert worse_of({**measured, "empty": AttributeMeasure(1.0)}, said).keys() == measured.keys()


def test_lost_penetration_lies_in_the_deeper_half() -> None:
    """Whatever the map says: where sound ends is below. A slight one lies nowhere."""
    fault = replace(NOISE, attribute="attenuation", code="attenuated")
    scale = replace(SCALE, attributes=("attenuation",), faults=(fault,))
    scan = np.zeros((100, 80), np.bool_)
    scan[10:90, 20:60] = True
    windows = windows_of(working_image(scan.astype(np.uint8) * 90, scan))
    place = windows, working_image(scan.astype(np.uint8) * 90, scan)

    def box(severity: float) -> object:
        said = Told(utility=1, off_by=0, severities={"attenuation": severity}, maps={})
        return located(said, scale, place, scan)["attenuated"].box

    assert (20, 50, 40, 40) == box(3.0)
    assert box(0.1) is None


def test_the_joined_graph_says_what_torch_said() -> None:
    """Golden scores are by torch; NRQ's part of the score is that of its own entry."""
    model = QualityModel.load(ENTRY, ("cpu",))
    alone = QualityModel.load(default_zoo() / SHIPPED, ("cpu",))
    assert not differences(model, ENTRY)
    for phantom in PHANTOMS:
        luma, scan, overlay = inputs_of(phantom)
        both = model.score(luma[None], scan, overlay)[0]
        nrq = alone.score(luma[None], scan, overlay)[0]
        assert both.scores["badness_nrq"] == pytest.approx(nrq.scores["badness"], rel=1e-5)
        assert both.quality <= nrq.quality + 1e-3
        assert {fault.code for fault in model.card.utility.faults} == set(both.faults)  # type: ignore[union-attr]
        assert all(0 <= fault.severity <= 1 for fault in both.faults.values())
        assert np.isfinite(list(both.scores.values())).all()


def test_the_entry_holds_nrqs_own_numbers() -> None:
    """Its manifold is NRQ's file, its bands and anchors are NRQ's."""
    nrq, own = (ModelCard.read(each) for each in (default_zoo() / SHIPPED, ENTRY))
    assert (nrq.scale, nrq.manifold, nrq.high_from) == (own.scale, own.manifold, own.high_from)
    assert (ENTRY / PARENT_FILE).read_bytes() == (
        default_zoo() / SHIPPED / PARENT_FILE
    ).read_bytes()
    assert (ENTRY / MODEL_FILE).stat().st_size <= 8_000_000


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("sure_below = 0.1", "sure_below = 0.4"),
        ("weight = ", "weight = -"),
        ("full = 3.2", "full = 0.01"),
        ("finding_at = 0.35", ""),
        ('attribute = "noise"', 'attribute = "flicker"'),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, line: str, instead: str) -> None:
    """Of the utility as of the rest."""
    entry = tmp_path / "entry"
    entry.mkdir()
    text = (ENTRY / CARD_FILE).read_text()
    assert line in text
    (entry / CARD_FILE).write_text(text.replace(line, instead))

    with pytest.raises(BadCardError):
        ModelCard.read(entry)
