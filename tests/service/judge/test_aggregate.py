"""What a loop is worth."""

import pytest

from sonogate.domain.frames import Region
from sonogate.domain.scores import Attribute, FrameScore
from sonogate.domain.verdict import Band
from sonogate.judge.aggregate import GROSS, GROSS_FROM, aggregate
from tests.service.judge.make import examination, frame, judge


def test_a_loop_is_worth_its_median_frame() -> None:
    """One bad frame of five does not spoil a loop, and one good frame does not save it."""
    spoiled = judge(examination([frame(n, q) for n, q in enumerate([90, 91, 2, 92, 93], 1)]))
    saved = judge(examination([frame(n, q) for n, q in enumerate([20, 21, 99, 22, 23], 1)]))

    assert (Band.HIGH, 91) == (spoiled.band, spoiled.quality)
    assert (Band.LOW, 22) == (saved.band, saved.quality)


def test_best_worst_and_the_share_of_low_frames_are_told() -> None:
    """A reader may jump to the best frame; frame numbers are DICOM's, from 1."""
    frames = [frame(10, 50), frame(20, 30), frame(30, 90), frame(40, 40)]
    verdict = judge(examination(frames, n_total=80))

    assert verdict.frames
    assert (30, 20) == (verdict.frames.best, verdict.frames.worst)
    assert 0.5 == verdict.scores["share_low_frames"]


def test_a_still_has_no_share_of_low_frames() -> None:
    """The number means something for loops only."""
    assert "share_low_frames" not in judge(examination([frame(1, 20)])).scores


def test_a_loop_half_in_air_is_low() -> None:
    """Where at least half of the frames have no echoes, the loop has to be taken again."""
    half = [frame(1, 95, empty=1.0), frame(2, 95, empty=0.0)]
    less = [frame(1, 95, empty=1.0), frame(2, 95, empty=0.0), frame(3, 95, empty=0.0)]

    assert Band.LOW == judge(examination(half)).band
    assert Band.HIGH == judge(examination(less)).band


def test_an_empty_frame_is_never_the_best() -> None:
    """The rule of no echo holds for each frame before the best is picked."""
    loop = aggregate([frame(1, 99, empty=1.0), frame(2, 80), frame(3, 85)], medium_from=45)

    assert (3, 1) == (loop.best, loop.worst)


def test_a_fault_of_a_loop_is_shown_where_it_is_worst() -> None:
    """The severity is the median over frames, the region that of the most severe frame."""
    here, there = Region(x=1, y=1, width=5, height=5), Region(x=9, y=9, width=5, height=5)
    severities = ((0.4, here), (0.9, there), (0.5, here))
    frames = [
        FrameScore(
            frame_number=number,
            quality=50,
            attributes={"shadowed": Attribute(severity=severity, region=region)},
        )
        for number, (severity, region) in enumerate(severities, 1)
    ]

    assert Attribute(severity=0.5, region=there) == aggregate(frames, 45).attributes["shadowed"]


@pytest.mark.parametrize("code", GROSS)
def test_a_gross_fault_is_low_and_the_worse_the_lower(code: str) -> None:
    """ADR 9: what anyone sees is low; below the threshold the model's word stands."""
    qualities = [
        aggregate([frame(1, 90, **{code: severity})], 45).quality
        for severity in (GROSS_FROM - 0.01, GROSS_FROM, 0.9, 1.0)
    ]

    assert 90 == qualities[0]
    assert qualities[1] < 45
    assert qualities == sorted(qualities, reverse=True)


def test_a_shadow_alone_is_not_low() -> None:
    """It may be the finding itself."""
    assert 90 == aggregate([frame(1, 90, shadowed=1.0, attenuated=1.0)], 45).quality
