"""What the model says of graded images, as the gate would hear it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonogate.calibrating.grades import Grade
from sonogate.domain.identity import new_object_id
from sonogate.domain.job import Job, Outcome
from sonogate.domain.scores import FrameScores
from sonogate.errors import CalibrationError
from sonogate.judge.aggregate import capped, loop_attributes, loop_scores
from sonogate.judge.policy import has_quality, shipped_quality
from sonogate.offline import media_type_of
from sonogate.score.scorer import ModelScorer
from sonogate.settings import ScoringSettings
from sonogate.worker import Examiner
from sonoquality.calibration.cuts import Cuts
from sonoquality.calibration.fit import GradedImage

MOST_LEFT_OUT = 0.5
"""Share of images without a quality from which something is wrong with the images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Graded images with a quality; and those without, which the gate would not grade either."""

    images: list[GradedImage] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)  #: why
    bounds: Cuts  #: the model card's


def score_images(
    rows: Sequence[Grade], settings: ScoringSettings, progress: Callable[[], None]
) -> Scored:
    """Score every graded image with the model of the settings.

    Raises:
        CalibrationError: most images get no quality.
        ModelError: the model can't be loaded.
    """
    scorer = ModelScorer.open(settings)
    examiner, greeting = Examiner(scorer), scorer.greeting
    scored = Scored(bounds=Cuts(greeting.medium_from, greeting.high_from))
    for row in rows:
        try:
            scores = _scores(row.path, examiner, settings.max_frames)
        except ValueError as error:
            scored.left_out[row.path] = str(error)
        else:
            scored.images.append(_image(row, scores, greeting.medium_from))
        progress()
    if len(scored.left_out) > MOST_LEFT_OUT * len(rows):
        path, reason = next(iter(scored.left_out.items()))
        raise CalibrationError(
            f"{len(scored.left_out)} of {len(rows)} images get no quality ({path.name}: {reason}); "
            "give DICOM ultrasound, PNG, JPEG or WebP images as the scanner stores them."
        )
    return scored


def _scores(path: Path, examiner: Examiner, max_frames: int) -> FrameScores:
    media_type = media_type_of(path)
    examination = examiner.examine(
        Job(
            object_id=new_object_id(),
            path=str(path.resolve()),
            media_type=media_type,
            max_frames=max_frames,
        )
    )
    if examination.outcome is not Outcome.SCORED or not has_quality(examination.scores):
        raise ValueError(examination.reason_code or "no quality")
    return examination.scores


def _image(row: Grade, scores: FrameScores, medium_from: float) -> GradedImage:
    attributes = loop_attributes(scores.frames)
    severities = {code: found.severity for code, found in attributes.items()}
    return GradedImage(
        patient=row.patient,
        grade=row.grade,
        quality=shipped_quality(scores.frames),
        is_forced_low=capped(100.0, attributes, medium_from) < medium_from,
        numbers={**loop_scores(scores.frames), **severities},
    )
