"""From examination to verdict: bands, thresholds, refusals, the empty rule."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonogate.domain.instance import Header
from sonogate.domain.job import Outcome
from sonogate.domain.verdict import Band, Doubt, Status
from sonogate.judge.findings import notes
from sonogate.judge.policy import Policy
from sonogate.settings import JudgeSettings
from tests.service.judge.make import NOW, RECEIVED, examination, frame, judge, refused


@pytest.mark.parametrize(
    ("quality", "band"),
    [(100, Band.HIGH), (75, Band.HIGH), (74.9, Band.MEDIUM), (45, Band.MEDIUM), (44.9, Band.LOW)],
)
def test_a_band_begins_at_its_threshold(quality: float, band: Band) -> None:
    """The model card's thresholds are the lowest quality of their band."""
    assert band == judge(examination([frame(1, quality)])).band


@pytest.mark.parametrize("quality", [90, 60, 10])
@pytest.mark.parametrize("doubt", ["spectral_doppler", "m_mode"])
def test_a_picture_that_may_be_no_tissue_is_graded_and_uncertain(
    doubt: str, quality: float
) -> None:
    """Reason and action speak of the doubt, in every band; what else is seen is a note."""
    answer = examination([frame(1, quality, too_dark=0.6)])
    assert answer.scores is not None
    verdict = judge(replace(answer, scores=replace(answer.scores, doubt=doubt)))

    assert (Status.GRADED, True) == (verdict.status, verdict.uncertain)
    assert verdict.band is judge(answer).band
    assert verdict.reason is not None
    assert "may be" in verdict.reason
    assert verdict.action is not None
    assert "Look yourself" in verdict.action
    assert ["too_dark"] == [finding.code for finding in notes(verdict)]
    plain = judge(answer)
    assert verdict.doubt == Doubt(
        code=doubt,
        reason=plain.reason,
        reason_code=plain.reason_code,
        action=plain.action,
    )


def threshold(
    high_from: float, exam_type: str | None = None, view: str | None = None
) -> dict[str, Any]:
    """A site threshold whose medium begins at 10."""
    return {"high_from": high_from, "medium_from": 10, "exam_type": exam_type, "view": view}


@pytest.mark.parametrize(
    ("header", "high_from"),
    [
        (Header(), 60),
        (Header(exam_type="LIVER"), 61),
        (Header(exam_type="HEART", view="SCT:123"), 62),
        (Header(exam_type="LIVER", view="SCT:123"), 63),
    ],
)
def test_the_most_specific_threshold_wins(header: Header, high_from: float) -> None:
    """Exam type and view, then view, then exam type, then site, then model card."""
    settings = {
        "thresholds": (
            threshold(62, view="SCT:123"),
            threshold(63, exam_type="liver", view="SCT:123"),
            threshold(60),
            threshold(61, exam_type="LIVER"),
        )
    }

    assert Band.HIGH == judge(examination([frame(1, high_from)], header), settings).band
    assert Band.MEDIUM == judge(examination([frame(1, high_from - 0.5)], header), settings).band


def test_no_echo_is_low_whatever_the_model_says() -> None:
    """A picture of air can't be graded up by a model that never saw one."""
    verdict = judge(examination([frame(1, 98, empty=1.0, poor_contact=1.0)]))

    assert (Status.GRADED, Band.LOW) == (verdict.status, verdict.band)
    assert ["empty"] == [finding.code for finding in verdict.findings]
    assert verdict.reason
    assert "no tissue echoes" in verdict.reason


@given(
    quality=st.floats(0, 100),
    empty=st.floats(0, 1),
    poor_contact=st.floats(0, 1),
)
def test_the_empty_rule_never_raises_a_quality(
    quality: float, empty: float, poor_contact: float
) -> None:
    """With faults measured, no image is judged better than the model alone would."""
    with_faults = judge(examination([frame(1, quality, empty=empty, poor_contact=poor_contact)]))

    assert with_faults.quality is not None
    assert with_faults.quality <= round(quality, 2)


@given(
    qualities=st.lists(st.floats(0, 100), min_size=1, max_size=5),
    severities=st.dictionaries(
        st.sampled_from(["empty", "poor_contact", "blurred", "noisy", "too_dark"]), st.floats(0, 1)
    ),
)
def test_low_and_medium_always_say_why_and_what_to_do(
    qualities: list[float], severities: dict[str, float]
) -> None:
    """Nobody is told "bad" without a reason and an action."""
    frames = [frame(n, quality, **severities) for n, quality in enumerate(qualities, 1)]
    verdict = judge(examination(frames))

    if verdict.band is Band.HIGH:
        assert verdict.action is None
    else:
        assert verdict.reason
        assert verdict.action


@pytest.mark.parametrize("outcome", [Outcome.NOT_APPLICABLE, Outcome.UNSCORABLE])
def test_what_is_not_scored_has_no_grade(outcome: Outcome) -> None:
    """No verdict is a verdict: never a band, never a quality, always a reason."""
    code = "report_page" if outcome is Outcome.NOT_APPLICABLE else "undecodable"
    verdict = judge(refused(outcome, code))

    assert (outcome.value, None, None) == (verdict.status.value, verdict.band, verdict.quality)
    assert verdict.reason


def test_an_unscorable_object_says_what_the_reader_found() -> None:
    """The detail stands behind the sentence; a detail that repeats it does not."""
    found = judge(refused(Outcome.UNSCORABLE, "undecodable", "RLE segment 2 ends early."))
    same = judge(refused(Outcome.UNSCORABLE, "missing_codec", "install sonogate[video]"))

    assert "could not be decoded; it is kept (RLE segment 2 ends early)" in str(found.reason)
    assert 1 == str(same.reason).count("install sonogate[video]")


@pytest.mark.parametrize("frames", [[], [frame(1, math.nan)], [frame(1, 90), frame(2, math.inf)]])
def test_a_model_without_a_number_is_unscorable(frames: list[Any]) -> None:
    """A broken model must not look like `high`, and must not stop the flow either."""
    verdict = judge(examination(frames, n_total=2))

    assert (Status.UNSCORABLE, None) == (verdict.status, verdict.band)
    assert verdict.reason


def test_a_raw_score_that_is_no_number_is_left_out() -> None:
    """JSON has no NaN, and a verdict must always be readable."""
    broken = examination([frame(1, math.nextafter(100, 0))])
    assert broken.scores
    frames = (type(broken.scores.frames[0])(frame_number=1, quality=80, scores={"a": math.nan}),)
    verdict = judge(examination(frames))

    assert {} == verdict.scores
    assert "NaN" not in verdict.model_dump_json()


def test_equal_rules_have_equal_versions() -> None:
    """The policy version is a hash of its content: a changed threshold changes it."""
    versions = [
        Policy.from_settings(high_from, 45, JudgeSettings(finding_from=finding_from)).version
        for high_from, finding_from in ((75, 0.35), (75, 0.35), (76, 0.35), (75, 0.4))
    ]

    assert versions[0] == versions[1]
    assert 3 == len(set(versions))


def test_a_verdict_names_its_object_its_frames_and_its_model() -> None:
    """The UID of the request counts, also where the data set has none."""
    answer = examination([frame(3, 80), frame(9, 70)], Header(), n_total=12)
    verdict = judge(answer)

    assert ("1.2.3.4", NOW, NOW) == (
        verdict.sop_instance_uid,
        verdict.received_at,
        verdict.verdict_at,
    )
    assert verdict.frames
    assert (12, [3, 9], 3, 9) == (
        verdict.frames.total,
        verdict.frames.scored,
        verdict.frames.best,
        verdict.frames.worst,
    )
    assert verdict.model
    assert "ab" * 32 == verdict.model.sha256
    assert RECEIVED.provenance.received_at == verdict.received_at


@pytest.mark.parametrize("uncertain", [True, False])
def test_the_doubt_of_the_model_is_passed_on(uncertain: bool) -> None:  # noqa: FBT001 - a case
    """A model far from its training says so, and the page shows it."""
    answer = examination([frame(1, 80)])
    assert answer.scores
    doubtful = replace(answer, scores=replace(answer.scores, uncertain=uncertain))

    assert uncertain is judge(doubtful).uncertain
