"""What a calibration would have made of the verdicts that the gate has stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sonogate.domain.calibration import Calibration
from sonogate.domain.scores import Attribute
from sonogate.domain.verdict import Band, Verdict
from sonogate.judge.aggregate import capped
from sonogate.judge.policy import Policy, band_of
from sonogate.store.calibrations import StoredQuality

N_VERDICTS = 20_000
"""The newest that are looked at."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How many images had, and would have, each band."""

    before: Counter[Band] = field(default_factory=Counter)
    after: Counter[Band] = field(default_factory=Counter)
    n_others: int = 0  #: verdicts of another model, or of exams that it is not for

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal: low 6 % -> 11 %."""
        n = self.before.total()
        if not n:
            return ["No stored verdict to compare with."]
        lines = [f"On the {n} newest stored verdicts that it would have been for:"]
        for band in (Band.LOW, Band.MEDIUM, Band.HIGH):
            was, would = self.before[band], self.after[band]
            lines.append(
                f"  {band.value:<7} {100 * was / n:.0f} % -> {100 * would / n:.0f} %"
                f"   ({was} -> {would} images)"
            )
        if self.n_others:
            lines.append(f"  {self.n_others} verdicts are of another model or of other exams.")
        return lines


def preview(
    stored: Iterable[StoredQuality], name: str, calibration: Calibration, policy: Policy
) -> Preview:
    """Judge stored qualities again.

    Args:
        stored: verdicts as judged.
        name: the calibration's id.
        calibration: without a head: stored verdicts don't hold what a head reads.
        policy: with the calibration among those in force.
    """
    before: Counter[Band] = Counter()
    after: Counter[Band] = Counter()
    n_others = 0
    for each in stored:
        fitting = policy.calibration_for(each.exam_type, each.view)
        own = each.verdict.model is not None and each.verdict.model.sha256 == (
            calibration.model.sha256
        )
        if not own or fitting is None or fitting[0] != name or each.verdict.band is None:
            n_others += 1
            continue
        threshold = policy.threshold_for(each.exam_type, each.view)
        quality = calibration.quality(shipped(each.verdict), {})
        quality = capped(quality, _faults(each.verdict), threshold.medium_from)
        before[each.verdict.band] += 1
        after[band_of(quality, threshold)] += 1
    return Preview(before, after, n_others)


def shipped(verdict: Verdict) -> float:
    """Return the quality by the model card alone, whatever the verdict was made under."""
    if verdict.calibration is not None:
        return verdict.calibration.quality
    return verdict.quality or 0.0


def _faults(verdict: Verdict) -> dict[str, Attribute]:
    """Return the faults that a verdict names; the gross ones always are."""
    return {found.code: Attribute(severity=found.severity) for found in verdict.findings}
