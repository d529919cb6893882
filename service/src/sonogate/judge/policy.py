"""Turn an examination into a verdict.

Pure: no clock, no network, no settings read. Aggregation over frames lives in `aggregate`, words in
`findings` and `messages`. Two rules stand above the model: an image without tissue echoes is low,
and so is one with a gross fault that anyone sees. They only ever lower a band.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from statistics import median
from typing import Any, TypeGuard

from sonogate import messages
from sonogate.domain.calibration import Calibration, Scope
from sonogate.domain.instance import Header, ReceivedInstance
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.scores import Attribute, FrameScore, FrameScores
from sonogate.domain.verdict import Band, Calibrated, Doubt, Frames, Model, Status, Verdict
from sonogate.errors import UnscorableError
from sonogate.judge.aggregate import EMPTY_FROM, GROSS, GROSS_FROM, aggregate
from sonogate.judge.findings import find, reason_code_of, sentence_and_action
from sonogate.messages import LANGUAGE, Language
from sonogate.settings import JudgeSettings, Threshold

RULES_VERSION = 3
"""Raised when the rules of this file change, so that `policy_version` changes with them."""

STATUS = {
    Outcome.SCORED: Status.GRADED,
    Outcome.NOT_APPLICABLE: Status.NOT_APPLICABLE,
    Outcome.UNSCORABLE: Status.UNSCORABLE,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds, and which of them holds for whom."""

    card: Threshold  #: the model card's own
    site: tuple[Threshold, ...]
    finding_from: float
    language: Language = LANGUAGE  #: of the sentences; decides nothing
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)  #: in force, by id

    @classmethod
    def from_settings(
        cls,
        card_high_from: float,
        card_medium_from: float,
        settings: JudgeSettings,
        language: Language = LANGUAGE,
    ) -> "Policy":
        """Join the model card's thresholds with the site's."""
        return cls(
            card=Threshold(high_from=card_high_from, medium_from=card_medium_from),
            site=settings.thresholds,
            finding_from=settings.finding_from,
            language=language,
        )

    @property
    def version(self) -> str:
        """A short hash of everything that decides: equal versions judge equally."""
        decides: list[object] = [
            RULES_VERSION,
            EMPTY_FROM,
            GROSS,
            GROSS_FROM,
            self.finding_from,
            self.card.model_dump(),
            [each.model_dump() for each in self.site],
        ]
        if self.calibrations:
            decides.append(sorted(self.calibrations))
        content = json.dumps(decides, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def threshold_for(self, exam_type: str | None, view: str | None) -> Threshold:
        """Return the most specific threshold: view before exam type before site.

        Where the settings have none, a calibration's bands count, then the card's.
        """
        fitting = [
            each
            for each in self.site
            if matches(each.exam_type, exam_type) and matches(each.view, view)
        ]
        if fitting:
            return max(fitting, key=is_special)
        calibrated = self.calibration_for(exam_type, view)
        if calibrated is None:
            return self.card
        return Threshold(**calibrated[1].bands.model_dump())

    def calibration_for(
        self, exam_type: str | None, view: str | None
    ) -> tuple[str, Calibration] | None:
        """Return id and calibration of the most specific one in force; None: as shipped."""
        fitting = [
            (name, each)
            for name, each in self.calibrations.items()
            if matches(each.scope.exam_type, exam_type) and matches(each.scope.view, view)
        ]
        return max(fitting, key=lambda pair: is_special(pair[1].scope), default=None)

    def judge(self, examination: Examination, received: ReceivedInstance, now: datetime) -> Verdict:
        """Judge one examined object.

        Returns:
            A verdict with everything but its links, its override and the times outside the worker.
        """
        base = identity(examination.header, received) | {
            "status": STATUS[examination.outcome],
            "policy_version": self.version,
            "received_at": received.provenance.received_at,
            "verdict_at": now,
        }
        if examination.outcome is not Outcome.SCORED:
            return Verdict(**base, **refusal(examination, self.language))
        if not has_quality(examination.scores):
            base["status"] = Status.UNSCORABLE
            return Verdict(**base, **refused("no_quality", None, self.language))
        return Verdict(**base, **self._graded(examination.scores, examination.header))

    def _graded(self, scores: FrameScores, header: Header) -> dict[str, Any]:
        threshold = self.threshold_for(header.exam_type, header.view)
        calibrated = self.calibration_for(header.exam_type, header.view)
        frames = scores.frames
        if calibrated is not None:
            frames = tuple(calibrated_frame(frame, calibrated[1]) for frame in frames)
        loop = aggregate(frames, threshold.medium_from)
        quality = min(max(loop.quality, 0.0), 100.0)
        band = band_of(quality, threshold)
        findings = find(loop.attributes, self.finding_from, scores.scan, self.language)
        code = reason_code_of(band, findings)
        reason, action = sentence_and_action(code, findings, self.language)
        doubt = None
        if scores.doubt is not None:
            doubt = Doubt(code=scores.doubt, reason=reason, reason_code=code, action=action)
            code = f"doubt.{scores.doubt}"
            reason, action = sentence_and_action(code, findings, self.language)
        raw = dict(loop.scores)
        if scores.n_total > 1:
            raw["share_low_frames"] = round(loop.share_low_frames, 4)
        return {
            "band": band,
            "quality": round(quality, 2),
            "scores": raw,
            "severities": severities_of(loop.attributes),
            "findings": findings,
            "reason": reason,
            "reason_code": code,
            "action": action,
            "uncertain": scores.uncertain or doubt is not None,
            "doubt": doubt,
            "frames": Frames(
                total=scores.n_total,
                scored=[frame.frame_number for frame in scores.frames],
                best=loop.best,
                worst=loop.worst,
            ),
            "calibration": None
            if calibrated is None
            else Calibrated(id=calibrated[0], quality=shipped_quality(scores.frames)),
            "model": Model(
                name=scores.model.name,
                version=scores.model.version,
                sha256=scores.model.sha256,
                provider=scores.model.provider,
            ),
        }


def has_quality(scores: FrameScores | None) -> TypeGuard[FrameScores]:
    """Whether the model gave every frame a number; anything less must not look like a grade."""
    return (
        scores is not None
        and bool(scores.frames)
        and all(isfinite(frame.quality) for frame in scores.frames)
    )


def calibrated_frame(frame: FrameScore, calibration: Calibration) -> FrameScore:
    """Return a frame with its calibrated quality; scores and faults stay."""
    return replace(frame, quality=calibration.quality(frame.quality, numbers_of(frame)))


def numbers_of(frame: FrameScore) -> dict[str, float]:
    """Return a frame's raw scores and severities by name, those that are numbers."""
    scores = {name: value for name, value in frame.scores.items() if isfinite(value)}
    return scores | severities_of(frame.attributes)


def severities_of(attributes: Mapping[str, Attribute]) -> dict[str, float]:
    """Return the severity of each fault, those that are numbers."""
    return {code: each.severity for code, each in attributes.items() if isfinite(each.severity)}


def shipped_quality(frames: Sequence[FrameScore]) -> float:
    """Return what a loop is worth by the model card alone, before rules lower it."""
    return round(min(max(float(median(frame.quality for frame in frames)), 0.0), 100.0), 2)


def is_special(scope: Threshold | Scope) -> tuple[bool, bool]:
    """Order by how special a scope is: a view before an exam type before all."""
    return scope.view is not None, scope.exam_type is not None


def matches(wanted: str | None, found: str | None) -> bool:
    """Whether a threshold's exam type or view fits; none fits every."""
    return wanted is None or (found is not None and wanted.casefold() == found.casefold())


def band_of(quality: float, threshold: Threshold) -> Band:
    """Return the band of a quality."""
    if quality >= threshold.high_from:
        return Band.HIGH
    return Band.MEDIUM if quality >= threshold.medium_from else Band.LOW


def identity(header: Header, received: ReceivedInstance) -> dict[str, Any]:
    """Return whose verdict it is; the UID is the request's where the data set has none."""
    return {
        "sop_instance_uid": received.sop_instance_uid or header.sop_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "study_instance_uid": header.study_instance_uid,
        "accession_number": header.accession_number,
        "acquired_at": header.acquired_at,
    }


def refusal(examination: Examination, language: Language = LANGUAGE) -> dict[str, Any]:
    """Say why there is no quality: the sentence of the code, and what the reader found."""
    code = examination.reason_code or UnscorableError.code
    detail = (examination.reason_detail or "").rstrip(".")
    is_told = detail in messages.text(f"reason.{code}")
    if not detail or examination.outcome is Outcome.NOT_APPLICABLE or is_told:
        return refused(code, None, language)
    return refused(code, detail, language)


def refused(code: str, detail: str | None, language: Language) -> dict[str, Any]:
    """Return the fields of a verdict that tell a refusal."""
    sentence = messages.text(f"reason.{code}", language)
    return {
        "reason": f"{sentence} ({detail})" if detail else sentence,
        "reason_code": f"reason.{code}",
        "reason_detail": detail,
    }
