"""What a calibration would have made of the verdicts that the gate has stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
    lacking: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Verdicts without some numbers that the head weighs, by the names of these."""

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal: low 6 % -> 11 %."""
        n = self.before.total()
        lines = [f"On the {n} newest stored verdicts that it would have been for:"]
        for band in (Band.LOW, Band.MEDIUM, Band.HIGH) if n else ():
            was, would = self.before[band], self.after[band]
            lines.append(
                f"  {band.value:<7} {100 * was / n:.0f} % -> {100 * would / n:.0f} %"
                f"   ({was} -> {would} images)"
            )
        if not n:
            lines = ["No stored verdict to compare with."]
        if self.n_others:
            lines.append(f"  {self.n_others} verdicts are of another model or of other exams.")
        return [*lines, *self._what_lacks()]

    def _what_lacks(self) -> list[str]:
        names = sorted({name for own in self.lacking for name in own})
        if not names:
            return []
        return [
            f"  {self.lacking.total()} verdicts lack numbers that the calibration weighs "
            f"({', '.join(names)}): an earlier release made them. Preview again when the gate has "
            "judged new images."
        ]


def preview(
    stored: Iterable[StoredQuality], name: str, calibration: Calibration, policy: Policy
) -> Preview:
    """Judge stored qualities again; a loop by the medians of its frames' numbers.

    Args:
        stored: verdicts as judged.
        name: the calibration's id.
        calibration: to look ahead by.
        policy: with the calibration among those in force.
    """
    found = Preview()
    n_others = 0
    for each in stored:
        verdict = each.verdict
        fitting = policy.calibration_for(each.exam_type, each.view)
        own = verdict.model is not None and verdict.model.sha256 == calibration.model.sha256
        if not own or fitting is None or fitting[0] != name or verdict.band is None:
            n_others += 1
            continue
        numbers = verdict.scores | verdict.severities
        if lacking := calibration.lacks(numbers):
            found.lacking[lacking] += 1
            continue
        threshold = policy.threshold_for(each.exam_type, each.view)
        quality = calibration.quality(shipped(verdict), numbers)
        quality = capped(quality, _faults(verdict), threshold.medium_from)
        found.before[verdict.band] += 1
        found.after[band_of(quality, threshold)] += 1
    return replace(found, n_others=n_others)


def shipped(verdict: Verdict) -> float:
    """Return the quality by the model card alone, whatever the verdict was made under."""
    if verdict.calibration is not None:
        return verdict.calibration.quality
    return verdict.quality or 0.0


def _faults(verdict: Verdict) -> dict[str, Attribute]:
    """Return the faults that a verdict names; the gross ones always are."""
    return {found.code: Attribute(severity=found.severity) for found in verdict.findings}
