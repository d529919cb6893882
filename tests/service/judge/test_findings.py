"""From measured faults to one sentence a person acts on."""

import pytest

from sonogate.domain.frames import Region
from sonogate.domain.scores import Attribute
from sonogate.domain.verdict import Band, FindingRegion
from sonogate.judge.findings import (
    CODES,
    find,
    notes,
    place,
    reason_code_of,
    sentence_and_action,
)
from sonoquality import attributes
from sonoquality.card import ModelCard
from sonoquality.zoo import JOINED, default_zoo
from tests.service.judge.make import SCAN, examination, frame, judge


def test_every_fault_that_is_measured_or_told_is_a_finding() -> None:
    """What is measured, what the model of the gate tells, and what the judge names is one list."""
    utility = ModelCard.read(default_zoo() / JOINED).utility
    assert utility is not None
    told = {fault.code for fault in utility.faults}

    assert attributes.CODES == CODES[: len(attributes.CODES)]
    assert set(CODES) == told | set(attributes.CODES)


@pytest.mark.parametrize("better", ["too_dark", "too_bright"])
def test_of_two_words_on_gain_the_one_is_said_that_tells_which_way(better: str) -> None:
    """That the gain does not fit helps nobody who is told to raise or lower it."""
    both = {"gain": Attribute(severity=0.9), better: Attribute(severity=0.4)}
    weak = {"gain": Attribute(severity=0.9), better: Attribute(severity=0.3)}

    assert [better] == [each.code for each in find(both, finding_from=0.35)]
    assert ["gain"] == [each.code for each in find(weak, finding_from=0.35)]


def test_a_fault_is_named_from_its_threshold_and_the_worst_comes_first() -> None:
    """Equal severities go by the order of `CODES`: contact explains darkness, not the reverse."""
    measured = {
        "noisy": Attribute(severity=0.34),
        "too_dark": Attribute(severity=0.7),
        "poor_contact": Attribute(severity=0.7),
        "blurred": Attribute(severity=0.9),
    }

    found = [finding.code for finding in find(measured, finding_from=0.35)]

    assert ["blurred", "poor_contact", "too_dark"] == found


def box(left: float, top: float, right: float, bottom: float) -> FindingRegion:
    """A region given in shares of the scan."""
    return FindingRegion(
        x=round(SCAN.x + left * SCAN.width),
        y=round(SCAN.y + top * SCAN.height),
        width=round((right - left) * SCAN.width),
        height=round((bottom - top) * SCAN.height),
    )


@pytest.mark.parametrize(
    ("region", "where"),
    [
        (box(0, 0, 0.3, 1), "left"),
        (box(0, 0, 0.5, 1), "left_half"),
        (box(0.5, 0, 1, 1), "right_half"),
        (box(0.35, 0.2, 0.6, 1), "middle"),
        (box(0.7, 0, 1, 1), "right"),
        (box(0, 0, 1, 0.3), "near"),
        (box(0, 0.4, 1, 0.6), "mid"),
        (box(0, 0.5, 1, 1), "far"),
        (box(0, 0, 0.9, 0.9), "all"),
        (None, "all"),
    ],
)
def test_a_place_is_said_in_words(region: FindingRegion | None, where: str) -> None:
    """Left, middle, right; near, mid, far: counted in the scan, not in the frame around it."""
    assert where == place(region, SCAN)


def test_the_example_of_the_specification() -> None:
    """Left third dark from the skin down: add gel, set the probe on."""
    third = Region(x=SCAN.x, y=SCAN.y, width=SCAN.width // 3, height=SCAN.height)
    findings = find({"poor_contact": Attribute(severity=0.8, region=third)}, 0.35, SCAN)

    reason, action = sentence_and_action(reason_code_of(Band.LOW, findings), findings)

    assert "The left third is dark from the skin down" == reason
    assert "Add gel and set the whole face of the probe on the skin" == action


def test_every_finding_has_its_own_sentence_and_place() -> None:
    """Not only the worst: a reader of the findings alone knows what is seen, and where."""
    left = Region(x=SCAN.x, y=SCAN.y, width=SCAN.width // 4, height=SCAN.height)
    measured = {
        "too_dark": Attribute(severity=0.9),
        "shadowed": Attribute(severity=0.5, region=left),
    }

    labels = [finding.label for finding in find(measured, 0.35, SCAN)]

    assert [
        "The whole image is too dark",
        "The left third lies in a shadow from a reflector above it",
    ] == labels


@pytest.mark.parametrize(
    ("quality", "expected"), [(90, ["too_dark", "noisy"]), (60, ["noisy"]), (10, ["noisy"])]
)
def test_notes_are_what_reason_and_action_leave_out(quality: float, expected: list[str]) -> None:
    """A low tells its worst finding in large; a high tells none, so all of them are notes."""
    found = examination([frame(1, quality, too_dark=0.6, noisy=0.5)])

    assert expected == [finding.code for finding in notes(judge(found))]


def test_a_low_image_without_a_fault_still_gets_a_reason_and_an_action() -> None:
    """The model may see what no measure names."""
    reason, action = sentence_and_action(reason_code_of(Band.MEDIUM, []), [])

    assert reason
    assert action
