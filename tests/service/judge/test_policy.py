"""From scores to a verdict."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonogate.domain.frames import Region
from sonogate.domain.identity import AETitle, ObjectId, SOPInstanceUID
from sonogate.domain.instance import Header, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.scores import Attribute, FrameScore, FrameScores, ModelIdentity
from sonogate.domain.verdict import Band, Status, Verdict
from sonogate.judge.policy import Policy
from sonogate.settings import JudgeSettings, Threshold

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MODEL = ModelIdentity(name="m", version="1", sha256="a" * 64, provider="cpu")
SCAN = Region(x=100, y=50, width=300, height=200)
BAD_ORDER = {Band.HIGH: 2, Band.MEDIUM: 1, Band.LOW: 0}

RECEIVED = ReceivedInstance(
    object_id=ObjectId("01A"),
    media_type=MediaType.DICOM,
    sop_class_uid="1.2",
    sop_instance_uid=SOPInstanceUID("1.2.3"),
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    content_sha256="0" * 64,
    size_bytes=1,
    spool_name="0/01A",
    provenance=Provenance(
        calling_ae=AETitle("CART"),
        called_ae=AETitle("SONOGATE"),
        peer_address="127.0.0.1",
        transport=Transport.DIMSE,
        received_at=NOW,
    ),
)


def scored(
    *qualities: float,
    attributes: dict[str, Attribute] | None = None,
    header: Header | None = None,
    uncertain: bool = False,
) -> Examination:
    """An examination whose frames have these qualities."""
    frames = tuple(
        FrameScore(frame_number=number, quality=quality, attributes=attributes or {})
        for number, quality in enumerate(qualities, 1)
    )
    return Examination(
        object_id="01A",
        outcome=Outcome.SCORED,
        header=header or Header(),
        scores=FrameScores(
            model=MODEL, frames=frames, n_total=len(frames), scan=SCAN, uncertain=uncertain
        ),
    )


def judged(examination: Examination, *site: Threshold) -> Verdict:
    """Judge with a card of 75/45 and these site thresholds."""
    policy = Policy.from_settings(75, 45, JudgeSettings(thresholds=site))
    return policy.judge(examination, RECEIVED, NOW)


@pytest.mark.parametrize(
    ("quality", "band"),
    [(100, "high"), (75, "high"), (74.9, "medium"), (45, "medium"), (44.9, "low"), (0, "low")],
)
def test_bands_begin_at_their_threshold(quality: float, band: str) -> None:
    """The threshold itself belongs to the better band."""
    assert band == judged(scored(quality)).band


def test_the_most_specific_threshold_wins() -> None:
    """A view's threshold goes before its exam type's, and that before the site's."""
    site = Threshold(high_from=60, medium_from=30)
    liver = Threshold(exam_type="LIVER", high_from=90, medium_from=80)
    view = Threshold(exam_type="LIVER", view="subcostal", high_from=50, medium_from=20)
    thresholds = (view, liver, site)

    assert Band.HIGH is judged(scored(65), *thresholds).band
    assert Band.LOW is judged(scored(65, header=Header(exam_type="liver")), *thresholds).band
    header = Header(exam_type="LIVER", view="SUBCOSTAL")
    assert Band.HIGH is judged(scored(65, header=header), *thresholds).band


@given(
    quality=st.floats(0, 100),
    severities=st.dictionaries(
        st.sampled_from(["empty", "poor_contact", "shadowed", "noisy"]), st.floats(0, 1)
    ),
)
def test_findings_never_raise_a_band(quality: float, severities: dict[str, float]) -> None:
    """Faults may lower what the model says, never better it; low and medium always say why."""
    attributes = {code: Attribute(severity=severity) for code, severity in severities.items()}
    plain, verdict = judged(scored(quality)), judged(scored(quality, attributes=attributes))

    assert plain.band
    assert verdict.band
    assert BAD_ORDER[verdict.band] <= BAD_ORDER[plain.band]
    assert (verdict.quality or 0) <= (plain.quality or 0)
    if verdict.band is not Band.HIGH:
        assert verdict.reason
        assert verdict.action


def test_an_image_without_echoes_is_low_whatever_the_model_says() -> None:
    """No echo, no diagnosis."""
    verdict = judged(scored(99, attributes={"empty": Attribute(severity=0.9)}))

    assert Band.LOW is verdict.band
    assert "no tissue echoes" in (verdict.reason or "")


@pytest.mark.parametrize(
    ("x", "width", "words"),
    [(110, 60, "left third"), (220, 60, "middle"), (330, 60, "right third"), (100, 290, "most of")],
)
def test_the_reason_says_where(x: int, width: int, words: str) -> None:
    """Thirds of the scan, not of the stored frame."""
    region = Region(x=x, y=52, width=width, height=196)
    attributes = {"poor_contact": Attribute(severity=0.8, region=region)}
    verdict = judged(scored(20, attributes=attributes))

    assert words in (verdict.reason or "").lower()
    assert "gel" in (verdict.action or "")


def test_a_loop_is_worth_its_median_frame() -> None:
    """One bad frame is shown, not decisive."""
    verdict = judged(scored(90, 10, 85, 88, 92))

    assert (Band.HIGH, 88) == (verdict.band, verdict.quality)
    assert verdict.frames is not None
    assert (5, 2) == (verdict.frames.best, verdict.frames.worst)
    assert 0.2 == verdict.scores["share_low_frames"]


def test_the_worst_finding_gives_the_reason() -> None:
    """All findings are listed, the most severe first."""
    attributes = {"noisy": Attribute(severity=0.5), "too_dark": Attribute(severity=0.9)}
    verdict = judged(scored(20, attributes=attributes))

    assert ["too_dark", "noisy"] == [finding.code for finding in verdict.findings]
    assert "too dark" in (verdict.reason or "")


@pytest.mark.parametrize("outcome", [Outcome.NOT_APPLICABLE, Outcome.UNSCORABLE])
def test_what_is_not_graded_has_no_band(outcome: Outcome) -> None:
    """No verdict is a verdict, and it never looks like high."""
    examination = replace(scored(99), outcome=outcome, reason_code="undecodable")
    verdict = judged(examination)

    assert Status(outcome.value) is verdict.status
    assert (None, None) == (verdict.band, verdict.quality)
    assert verdict.reason


def test_doubt_is_passed_on() -> None:
    """The model's doubt reaches the page."""
    assert judged(scored(60, uncertain=True)).uncertain


def test_the_policy_version_follows_every_threshold() -> None:
    """Equal versions judge equally."""
    plain = Policy.from_settings(75, 45, JudgeSettings())
    site = JudgeSettings(thresholds=(Threshold(high_from=80, medium_from=45),))

    assert plain.version == Policy.from_settings(75, 45, JudgeSettings()).version
    assert plain.version != Policy.from_settings(75, 46, JudgeSettings()).version
    assert plain.version != Policy.from_settings(75, 45, site).version
