"""A verdict made under a site's calibration."""

from dataclasses import replace
from typing import Any

import pytest

from sonogate.domain.calibration import Calibration, Map, parse
from sonogate.domain.instance import Header
from sonogate.domain.verdict import Band, Verdict
from sonogate.errors import CalibrationError
from sonogate.judge.policy import Policy
from sonogate.settings import JudgeSettings
from tests.service.calibrating.make import STRICT, calibration
from tests.service.judge.make import NOW, RECEIVED, examination, frame

LIVER = Header(exam_type="LIVER", view="SCT:1")


def judged(
    quality: float,
    *,
    header: Header | None = None,
    settings: dict[str, Any] | None = None,
    faults: dict[str, float] | None = None,
    **held: Calibration,
) -> Verdict:
    """Judge one frame under calibrations."""
    policy = replace(
        Policy.from_settings(75, 45, JudgeSettings.model_validate(settings or {})),
        calibrations=held,
    )
    return policy.judge(examination([frame(1, quality, **faults or {})], header), RECEIVED, NOW)


@pytest.mark.parametrize(
    ("quality", "band", "shown"),
    [(95, Band.HIGH, 87.5), (90, Band.HIGH, 75), (85, Band.MEDIUM, 70), (50, Band.LOW, 37.5)],
)
def test_bands_and_number_are_the_site_s_and_the_verdict_says_so(
    quality: float, band: Band, shown: float
) -> None:
    """The number moves with the band, and the shipped one is kept beside it."""
    verdict = judged(quality, strict=calibration())

    assert (band, shown) == (verdict.band, verdict.quality)
    assert verdict.calibration is not None
    assert ("strict", quality) == (verdict.calibration.id, verdict.calibration.quality)


def test_without_one_nothing_is_said_of_it_and_the_version_is_as_before() -> None:
    """Equal versions judge equally; another calibration is another version."""
    plain, strict = judged(80), judged(80, strict=calibration())

    assert plain.calibration is None
    assert 3 == len(
        {plain.policy_version, strict.policy_version, judged(80, b=calibration()).policy_version}
    )


@pytest.mark.parametrize(("header", "expected"), [(None, "all"), (LIVER, "view")])
def test_the_most_special_calibration_counts(header: Header | None, expected: str) -> None:
    """Of a view before of an exam type before of all."""
    verdict = judged(
        80,
        header=header,
        type=calibration(scope={"exam_type": "liver"}),
        view=calibration(scope={"exam_type": "LIVER", "view": "SCT:1"}),
        all=calibration(),
    )

    assert verdict.calibration is not None
    assert expected == verdict.calibration.id


def test_a_threshold_of_the_settings_goes_before_it_on_calibrated_quality() -> None:
    """Shipped 80 is calibrated 65: high by a site threshold of 60."""
    thresholds = {"thresholds": [{"high_from": 60, "medium_from": 10}]}

    assert Band.HIGH == judged(80, settings=thresholds, strict=calibration()).band


@pytest.mark.parametrize("fault", [{"blurred": 1.0}, {"empty": 1.0}])
def test_a_gross_fault_stays_low_whatever_the_site_grades(fault: dict[str, float]) -> None:
    """The rules above the model stand above a calibration too."""
    lenient = calibration(map={"knots": ((0, 0), (1, 45), (2, 75), (100, 100))})

    assert Band.LOW == judged(99, faults=fault, lenient=lenient).band


def test_a_head_reads_scores_and_faults() -> None:
    """Here only the fault counts; one that was not measured counts as average."""
    head = {"names": ["noisy"], "centre": [0.5], "scale": [0.5], "weight": [-1.0]}
    knots = ((-2, 0), (-0.5, 45), (0.5, 75), (2, 100))
    noisy = calibration(head=head, map={"knots": knots})

    bands = [
        judged(q, faults=f, head=noisy).band
        for q, f in ((5, {"noisy": 0.1}), (95, {"noisy": 0.78}), (95, {}))
    ]

    assert [Band.HIGH, Band.LOW, Band.MEDIUM] == bands


@pytest.mark.parametrize("value", [-5, 0, 30, 60, 60.001, 89.99, 90, 100, 130])
def test_the_map_never_turns_two_images_round(value: float) -> None:
    """Rising everywhere, and within 0 to 100."""
    curve = Map(knots=STRICT)

    assert 0 <= curve.quality(value) <= curve.quality(value + 0.5) <= 100


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("not toml [", "no calibration file"),
        ("[model]\nname = 'x'\n", "no calibration file"),
    ],
)
def test_what_is_no_calibration_is_refused_with_the_remedy(broken: str, said: str) -> None:
    """Not half read."""
    with pytest.raises(CalibrationError, match=f"{said}.*sonogate calibrate"):
        parse(broken)


@pytest.mark.parametrize("change", [{"sha256": "00" * 32}, {"card_sha256": "00" * 32}])
def test_a_calibration_of_another_model_is_refused_by_name(change: dict[str, str]) -> None:
    """Also if only the card's scale is another; the remedy is to fit anew."""
    made = calibration()
    running = made.model.model_copy(update={**change, "version": "2.0.0"})

    with pytest.raises(
        CalibrationError, match=r"of dct-manifold/1.0.0, and the gate runs dct-manifold/2.0.0.*anew"
    ):
        made.check_model(running)
    made.check_model(made.model)


@pytest.mark.parametrize(
    "changes",
    [
        {"bands": {"high_from": 45, "medium_from": 75}},
        {"bands": {"high_from": 101, "medium_from": 75}},
        {"map": {"knots": [[0, 0], [float("inf"), 100]]}},
        {"head": {"names": ["noisy"], "centre": [0], "scale": [0], "weight": [1]}},
        {"head": {"names": ["noisy"], "centre": [float("nan")], "scale": [1], "weight": [1]}},
        {"head": {"names": ["noisy"], "centre": [], "scale": [1], "weight": [1]}},
    ],
)
def test_a_file_that_would_break_judging_is_refused_before(changes: dict[str, Any]) -> None:
    """Numbers changed by hand stop at the door, not in front of a patient."""
    with pytest.raises(ValueError, match=r"validation error"):
        calibration(**changes)


@pytest.mark.parametrize(
    "knots", [[[0, 0], [0, 50]], [[0, 50], [10, 40]], [[0, 0], [10, 101]], [[0, 0]]]
)
def test_a_map_that_does_not_rise_is_no_map(knots: list[list[float]]) -> None:
    """A file changed by hand can't turn images round."""
    with pytest.raises(ValueError, match=r"knots|2 items"):
        Map.model_validate({"knots": knots})


def test_a_verdict_keeps_every_severity_so_that_a_head_can_be_looked_ahead_by() -> None:
    """Also of faults too slight for a finding."""
    verdict = judged(80, faults={"noisy": 0.1, "blurred": 0.6})

    assert {"noisy": 0.1, "blurred": 0.6} == verdict.severities
    assert ["blurred"] == [each.code for each in verdict.findings]
